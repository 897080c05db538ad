import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { providePostgres } from '../test/support/postgres-server.ts';

/** Calls with the environment of each kind of database, empty each time. */
export async function onEachDatabase<Result>(
  measure: (kind: string, environment: Record<string, string>) => Promise<Result>,
): Promise<Result[]> {
  const server = await providePostgres();
  try {
    const name = `bench_${randomBytes(6).toString('hex')}`;
    const sql = postgres(server.url, { max: 1 });
    await sql.unsafe(`create database ${name}`);
    const url = new URL(server.url);
    url.pathname = name;
    const results = [
      await measure('embedded', { DATA_DIR: 'memory:' }),
      await measure('postgres', { DATABASE_URL: url.href }),
    ];
    await sql.unsafe(`drop database ${name} with (force)`);
    await sql.end();
    return results;
  } finally {
    await server.stop();
  }
}
