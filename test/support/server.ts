import { inject } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import type { Patience } from '../../src/limits/patience.ts';
import { createLog } from '../../src/observability/log.ts';
import { openDatabase } from '../../src/open.ts';
import { serve } from '../../src/server.ts';
import { type Caller, callerOf } from './caller.ts';
import { preparedDatabase } from './database.ts';
import { freshEmbedded } from './embedded.ts';
import { unlimited } from './unlimited.ts';

/** Both kinds of database that every promise is kept on. */
export const databases = ['embedded', 'postgres'] as const;
export type DatabaseKind = (typeof databases)[number];

export const secret = 'a secret of the tests, long enough to be one';

export interface TestServer extends Caller {
  /** Of the database, null for an embedded one. */
  readonly databaseUrl: string | null;
  /** Statements of somebody else, by the way of the database alone; answers the rows of the last. */
  sql(...statements: string[]): Promise<any[]>;
  close(): Promise<void>;
}

/** A whole server with a database of its own, on a free port. */
export async function testServer(
  kind: DatabaseKind,
  environment: Record<string, string> = {},
  databaseUrl?: string,
  patience?: Patience,
): Promise<TestServer> {
  const database = kind === 'postgres' && !databaseUrl ? await preparedDatabase() : null;
  const usedUrl = databaseUrl ?? database?.url ?? null;
  const config = parseConfig({
    PORT: '0',
    DATA_DIR: 'memory:',
    JWT_SECRET: secret,
    LOG_LEVEL: 'fatal',
    DRAIN_SECONDS: '0',
    ...unlimited,
    ...(usedUrl ? { DATABASE_URL: usedUrl } : {}),
    ...environment,
  });
  const opened = config.databaseUrl ? await openDatabase(config) : await freshEmbedded();
  const server = await serve(config, opened, createLog(config.logLevel), patience);
  return {
    ...callerOf(server.url, config.tokens.secret!),
    databaseUrl: usedUrl,
    sql: async (...statements) => {
      let rows: any[] = [];
      for (const statement of statements) rows = await opened.query(statement);
      return rows;
    },
    close: async () => {
      await server.close();
      await database?.drop();
    },
  };
}

/** The address of the PostgreSQL server of the tests. */
export const postgresUrl = () => inject('postgresUrl');

/** The address of the Redis of the tests; databases do not hear each other there. */
export const redisUrl = () => inject('redisUrl');
