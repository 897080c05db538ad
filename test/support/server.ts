import { inject } from 'vitest';
import { createTokens } from '../../src/auth/tokens.ts';
import { parseConfig } from '../../src/config.ts';
import type { Role } from '../../src/domain/viewer.ts';
import type { Patience } from '../../src/limits/patience.ts';
import { createLog } from '../../src/observability/log.ts';
import { openDatabase, serve } from '../../src/server.ts';
import { freshDatabase } from './database.ts';
import { freshEmbedded } from './embedded.ts';
import { EventStreamClient } from './sse.ts';
import { unlimited } from './unlimited.ts';
import { type OperationRequest, type Payload, SocketClient } from './websocket.ts';

/** Both kinds of database that every promise is kept on. */
export const databases = ['embedded', 'postgres'] as const;
export type DatabaseKind = (typeof databases)[number];

export const secret = 'a secret of the tests, long enough to be one';

export interface TestServer {
  readonly url: string;
  /** Of the database, null for an embedded one. */
  readonly databaseUrl: string | null;
  token(userId: string, roles?: readonly Role[], lifetimeMs?: number): Promise<string>;
  /** A socket that has been let in. */
  socket(userId: string, roles?: readonly Role[]): Promise<SocketClient>;
  /** An event stream. */
  events(
    userId: string,
    operation: OperationRequest,
    headers?: Record<string, string>,
  ): Promise<EventStreamClient>;
  /** One operation over HTTP, as `userId`. */
  run(
    userId: string,
    query: string,
    variables?: Record<string, unknown>,
    roles?: readonly Role[],
  ): Promise<Payload>;
  /** The same, failing on errors; answers the data. */
  ask(
    userId: string,
    query: string,
    variables?: Record<string, unknown>,
    roles?: readonly Role[],
  ): Promise<any>;
  /** Statements of somebody else, by the way of the database alone; answers the rows of the last. */
  sql(...statements: string[]): Promise<any[]>;
  /** One line of the metrics. */
  metric(line: string): Promise<number | undefined>;
  close(): Promise<void>;
}

/** A whole server with a database of its own, on a free port. */
export async function testServer(
  kind: DatabaseKind,
  environment: Record<string, string> = {},
  databaseUrl?: string,
  patience?: Patience,
): Promise<TestServer> {
  const database = kind === 'postgres' && !databaseUrl ? await freshDatabase() : null;
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
  const { sign } = createTokens({ secret: config.tokens.secret! });
  const tokens = new Map<string, Promise<string>>();
  const url = `${server.url}/graphql`;

  const token: TestServer['token'] = (userId, roles = [], lifetimeMs = 3_600_000) => {
    const key = `${userId} ${roles} ${lifetimeMs}`;
    const signed = tokens.get(key) ?? sign!({ userId, roles, lifetimeMs });
    tokens.set(key, signed);
    return signed;
  };

  const run: TestServer['run'] = async (userId, query, variables = {}, roles = []) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await token(userId, roles)}` },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as Payload;
  };

  return {
    url: server.url,
    databaseUrl: usedUrl,
    token,
    run,
    socket: async (userId, roles = []) => {
      const client = new SocketClient(url, { authorization: `Bearer ${await token(userId, roles)}` });
      await client.acknowledged;
      return client;
    },
    events: async (userId, operation, headers = {}) =>
      new EventStreamClient(url, await token(userId), operation, headers),
    ask: async (...request) => {
      const { data, errors } = await run(...request);
      if (errors) throw new Error(JSON.stringify(errors));
      return data;
    },
    sql: async (...statements) => {
      let rows: any[] = [];
      for (const statement of statements) rows = await opened.query(statement);
      return rows;
    },
    metric: async (line) => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      const found = text.split('\n').find((each) => each.startsWith(`${line} `));
      return found === undefined ? undefined : Number(found.slice(line.length + 1));
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
