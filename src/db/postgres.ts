import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import type { Database } from './database.ts';
import * as tables from './tables.ts';

const connections = 10;
const readers = 4;
const statementMs = 15_000;

/** A PostgreSQL server, version 14 or newer. */
export function openPostgres(url: string): Database {
  // Three clients: drizzle changes how its client parses, and the relay never waits behind others.
  const clients = { orm: connect(url, connections), readers: connect(url, readers), apart: connect(url, 1) };
  const orm = drizzle(clients.orm, { schema: tables });
  const run = <Row>(client: postgres.Sql, statement: string, parameters: readonly unknown[]) =>
    client.unsafe(statement, parameters as postgres.ParameterOrJSON<never>[], {
      prepare: true,
    }) as unknown as Promise<Row[]>;
  return {
    kind: 'postgres',
    orm,
    transaction: (work) => orm.transaction(work),
    query: async (statement, parameters = []) => [
      ...(await run<never>(clients.readers, statement, parameters)),
    ],
    queryApart: async (statement, parameters = []) => [
      ...(await run<never>(clients.apart, statement, parameters)),
    ],
    close: async () => {
      await Promise.all(Object.values(clients).map((client) => client.end({ timeout: 5 })));
    },
  };
}

function connect(url: string, max: number): postgres.Sql {
  return postgres(url, {
    max,
    connect_timeout: 5,
    backoff: (attempts) => Math.min(1, 0.05 * 2 ** attempts),
    onnotice: () => {},
    connection: { application_name: 'gravitycar-realtime', statement_timeout: statementMs },
    types: {
      json: { to: 114, from: [114, 3802], serialize: (text: string) => text, parse: (text: string) => text },
    },
  });
}
