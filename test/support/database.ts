import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';
import { openPostgres } from '../../src/db/postgres.ts';
import { prepare } from '../../src/open.ts';

export interface OwnDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/** An empty database of its own. */
export const freshDatabase = () => createDatabase(inject('postgresUrl'));

/** A database of its own that has its tables: a copy of one takes less than to make them. */
export const preparedDatabase = () => createDatabase(inject('postgresUrl'), inject('postgresTemplate'));

/** What `preparedDatabase` copies. */
export async function createTemplate(server: string): Promise<OwnDatabase & { readonly name: string }> {
  const created = await createDatabase(server);
  const database = openPostgres(created.url);
  await prepare(database);
  await database.close();
  return created;
}

async function createDatabase(server: string, template = 'template1') {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await once(server, `create database ${name} template ${template}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const drop = () => once(server, `drop database if exists ${name} with (force)`);
  return { name, url: url.href, drop };
}

async function once(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}
