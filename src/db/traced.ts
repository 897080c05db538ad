import { sql } from 'drizzle-orm';
import { type Tracer, untraced } from '../realtime/tracer.ts';
import type { Database, Statement } from './database.ts';

/**
 * Each transaction is a step of the operation that it is of. What is written in it is written as of this step, by
 * whatever statement or trigger: the outbox takes it for a row's `trace`.
 */
export function traceTransactions(database: Database, tracer: Tracer): Database {
  if (tracer === untraced) return database;
  const transaction: Database['transaction'] = (work) =>
    asTransaction(tracer, (trace) => {
      if (trace === null) return database.transaction(work);
      return database.transaction(async (tx) => {
        // It leaves together with the first statement of the work.
        const said = tx.execute(sql`select set_config('realtime.trace', ${trace}, true)`);
        const [result] = await Promise.all([work(tx), said]);
        return result;
      });
    });
  return Object.assign(Object.create(database), { transaction }) as Database;
}

/** The same for a verb that shares its transaction with others: each says in its own draft what it is a step of. */
export function asTransaction<Result>(
  tracer: Tracer,
  work: (trace: string | null) => Promise<Result>,
): Promise<Result> {
  const parent = tracer.current();
  return parent === null ? work(null) : tracer.follow({ name: 'transaction', parent }, work);
}

/** Rows that triggers capture are of the whole transaction: they go with the first of the drafts that is traced. */
export function sayTrace(drafts: readonly { readonly trace: string | null }[]): Statement[] {
  const trace = drafts.find((draft) => draft.trace !== null)?.trace;
  return trace ? [{ text: `select set_config('realtime.trace', $1, true)`, parameters: [trace] }] : [];
}
