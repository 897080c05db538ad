import { inTime } from '../lib/in-time.ts';
import type { Database } from './database.ts';

/** What waits for the relay; all of it -1 while that cannot be read. */
export interface Backlog {
  readonly depth: number;
  /** Of the oldest row that waits. */
  readonly ageSeconds: number;
  /** The newest position of the journal. */
  readonly head: number;
}

/** Further is not counted: counting takes the longer the more wait. */
const mostCounted = 100_000;
const unknown: Backlog = { depth: -1, ageSeconds: -1, head: -1 };

/** Reads what waits. One reading is made at a time, however many ask. */
export function createBacklog(database: Pick<Database, 'query'>): () => Promise<Backlog> {
  let reading: Promise<Backlog> | undefined;
  return () => {
    reading ??= read(database).finally(() => {
      reading = undefined;
    });
    return inTime(reading, unknown);
  };
}

/** How many rows wait, as far as they are counted. */
export const waiting = `(select count(*) from (select from realtime_outbox limit ${mostCounted}) waiting)::int`;

async function read(database: Pick<Database, 'query'>): Promise<Backlog> {
  const [row] = await database.query<Backlog>(
    `select ${waiting} as depth,
            coalesce(greatest(0, extract(epoch from clock_timestamp() -
              (select created_at from realtime_outbox order by id limit 1))), 0)::float8 as "ageSeconds",
            head::float8 as head
       from realtime_relay where part = 0`,
  );
  return row!;
}
