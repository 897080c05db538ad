import type { Database } from '../db/database.ts';

const mostAtOnce = 500;

/**
 * Removes some of the notifications that expired longer ago than this. They have not been shown since they expired.
 * One with a `dedupeKey` stays, unseen: it is what a later send with the same key is answered with, for good.
 * Answers whether there may be more.
 */
export async function removeExpired(database: Database, olderThanMs: number): Promise<boolean> {
  const [row] = await database.queryAside<{ count: number }>(
    `with old as (
       select id from notifications
        where expires_at < clock_timestamp() - $1::float8 * interval '1 ms' and dedupe_key is null
        order by expires_at limit ${mostAtOnce} for update skip locked),
     removed as (delete from notifications n using old where n.id = old.id returning 1)
     select count(*)::int as count from removed`,
    [olderThanMs],
  );
  return row!.count === mostAtOnce;
}
