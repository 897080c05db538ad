import { randomUUID } from 'node:crypto';
import { secretInDatabase, secretInDirectory } from './auth/secret.ts';
import type { Config } from './config.ts';
import { type Database, patiently } from './db/database.ts';
import { inMemory, openEmbedded } from './db/embedded.ts';
import { migrate } from './db/migrate.ts';
import { openPostgres } from './db/postgres.ts';
import { installBuiltInModels } from './domain/watch.ts';

/** Opens the database that the configuration names, and brings its tables up to date. */
export async function openDatabase({ databaseUrl, dataDirectory }: Config): Promise<Database> {
  const database = databaseUrl ? openPostgres(databaseUrl) : await openEmbedded(dataDirectory);
  try {
    await prepare(database);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Brings the tables of a database up to date. */
export async function prepare(database: Database): Promise<void> {
  const applied = await patiently(() => migrate(database));
  await patiently(() => installBuiltInModels(database, applied > 0));
}

/** The secret that tokens are signed with; undefined where keys are fetched instead. */
export async function tokenSecret(config: Config, database: Database | null): Promise<string | undefined> {
  if (config.tokens.secret || config.tokens.jwksUrl) return config.tokens.secret;
  if (database?.kind === 'postgres') return secretInDatabase(database);
  return config.dataDirectory === inMemory
    ? randomUUID() + randomUUID()
    : secretInDirectory(config.dataDirectory);
}
