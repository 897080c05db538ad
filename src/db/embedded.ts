import { join } from 'node:path';
import { PGlite, types } from '@electric-sql/pglite';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/pglite';
import { lockDirectory } from '../lib/directory-lock.ts';
import { type Database, type Statement, settings } from './database.ts';
import { insertWaiting, type OutboxRow } from './outbox.ts';
import * as tables from './tables.ts';

const asText = (text: string) => text;

/** How PGlite is to read JSON: not at all. */
export const parsers = { [types.JSON]: asText, [types.JSONB]: asText };

/** The name that keeps nothing. */
export const inMemory = 'memory:';

/**
 * PostgreSQL inside this process, for trying out and for tests: one connection, and safe against the end of
 * the process but not against the loss of power. Nobody else may open the directory meanwhile.
 */
export async function openEmbedded(directory: string): Promise<Database> {
  if (directory === inMemory) return overPglite(await PGlite.create('memory://', { parsers }));
  const lock = await lockDirectory(directory);
  try {
    const pglite = await PGlite.create(join(directory, 'postgres'), { parsers });
    return await overPglite(pglite, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** One that is open already, with `parsers`; `closed` is called when it no longer is. */
export async function overPglite(
  pglite: PGlite,
  closed: () => Promise<void> = async () => {},
): Promise<Database> {
  for (const [name, value] of Object.entries(settings)) await pglite.exec(`set ${name} = ${value}`);
  const orm = drizzle(pglite, { schema: tables });
  const query = async <Row>(statement: string, parameters: readonly unknown[] = []) =>
    (await pglite.query<Row>(statement, [...parameters])).rows;
  return {
    kind: 'embedded',
    orm,
    transaction: (work) =>
      orm.transaction(async (tx) => {
        const waiting: OutboxRow[] = [];
        const result = await work(Object.assign(tx, { waiting }));
        if (waiting.length > 0)
          await tx.execute(sql`${sql.raw(before)}${JSON.stringify(waiting)}${sql.raw(behind)}`);
        return result;
      }),
    pipeline: <Row>(statements: readonly Statement[]) =>
      pglite.transaction(async (tx) => {
        let rows: Row[] = [];
        for (const { text, parameters } of statements)
          rows = (await tx.query<Row>(text, [...parameters])).rows;
        return rows;
      }),
    query,
    queryApart: query,
    queryAside: query,
    load: { busy: 0, waiting: 0, transactions: 0, waitedSeconds: 0, roundTripSeconds: 0 },
    close: async () => {
      await pglite.close();
      await closed();
    },
  };
}

const [before, behind] = insertWaiting.split('$1') as [string, string];
