import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { type Database, sqlState, type Transaction } from './database.ts';

const lockKey = 7_204_113_318;
const migrationsFolder = fileURLToPath(new URL('./migrations', import.meta.url));

/**
 * Applies what has not been applied, in one transaction that holds an advisory lock of that transaction: five
 * nodes may start at once, also behind a pooler. What has been applied is known by its hash and not by its
 * date, so a migration that was merged late is not skipped. Answers how many were applied.
 */
export async function migrate(database: Database): Promise<number> {
  const migrations = readMigrationFiles({ migrationsFolder });
  return database.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${lockKey})`);
    const applied = await appliedHashes(tx);
    const missing = migrations.filter(({ hash }) => !applied.has(hash));
    for (const { sql: statements, hash } of missing) {
      for (const statement of statements) await tx.execute(sql.raw(statement));
      await tx.execute(sql`insert into realtime_migrations (hash) values (${hash})`);
    }
    return missing.length;
  });
}

/** What keeps a database that answers from being of use. */
export interface Fitness {
  /** So many migrations of ours have not been applied, or not any more. */
  readonly missing: number;
  /** So many have been applied that this program does not know: by a newer one. */
  readonly unknown: number;
  /** A standby, or one whose disk is full. */
  readonly isReadOnly: boolean;
}

/** Looks whether the database is still one that this program can work with. */
export function createFitnessCheck(database: Pick<Database, 'query'>): () => Promise<Fitness> {
  const known = new Set(readMigrationFiles({ migrationsFolder }).map(({ hash }) => hash));
  return async () => {
    try {
      const rows = await database.query<{ hash: string | null; isReadOnly: boolean }>(
        `select hash, current_setting('transaction_read_only')::boolean as "isReadOnly"
           from (select 1) one left join realtime_migrations on true`,
      );
      const applied = rows.flatMap(({ hash }) => hash ?? []);
      const unknown = applied.filter((hash) => !known.has(hash)).length;
      const missing = known.size - (applied.length - unknown);
      return { missing, unknown, isReadOnly: rows[0]!.isReadOnly };
    } catch (error) {
      // undefined_table
      if (sqlState(error) !== '42P01') throw error;
      return { missing: known.size, unknown: 0, isReadOnly: false };
    }
  };
}

async function appliedHashes(tx: Transaction): Promise<Set<string>> {
  await tx.execute(sql`create table if not exists realtime_migrations (
    hash text primary key, applied_at timestamptz not null default now())`);
  const rows = await tx.execute(sql`select hash from realtime_migrations`);
  return new Set(rowsOf<{ hash: string }>(rows).map(({ hash }) => hash));
}

/** postgres.js answers with the rows, PGlite with an object that has them. */
function rowsOf<Row>(result: unknown): Row[] {
  return (Array.isArray(result) ? result : (result as { rows: Row[] }).rows) as Row[];
}
