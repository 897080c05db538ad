import type { Database } from './database.ts';

const mostAtOnce = 1_000;

/** Removes some of the connections that were closed longer ago than this. Answers whether there may be more. */
export async function removeClosedConnections(database: Database, olderThanMs: number): Promise<boolean> {
  const [row] = await database.queryAside<{ count: number }>(
    `with old as (
       select id from realtime_connections
        where not is_active and last_ping < clock_timestamp() - $1::float8 * interval '1 ms'
        limit ${mostAtOnce} for update skip locked),
     removed as (delete from realtime_connections c using old where c.id = old.id returning 1)
     select count(*)::int as count from removed`,
    [olderThanMs],
  );
  return row!.count === mostAtOnce;
}
