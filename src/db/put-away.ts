import type { Database } from './database.ts';

/** A node that has not been seen for this long, by the database's clock, is gone. */
export const goneInterval = "interval '10 s'";
/** So many connections are put away by one statement. */
const mostPutAwayAtOnce = 5_000;
const mostRemovedAtOnce = 1_000;

/**
 * Puts away nodes that are gone, and connections of nodes that are not there. They are found by their nodes' names,
 * whoever wrote them and whenever: one lookup of the index for each name.
 */
export async function putAway(database: Database): Promise<void> {
  await database.query(`delete from realtime_nodes where seen_at < clock_timestamp() - ${goneInterval}`);
  for (;;) {
    const [row] = await database.query<{ count: number }>(putAwayConnections, [mostPutAwayAtOnce]);
    if (row!.count < mostPutAwayAtOnce) return;
  }
}

/** All nodes do this: what one has locked, the others pass over. */
const putAwayConnections = `
with recursive named as (
  select min(node) as node from realtime_connections where is_active
  union all
  select (select min(c.node) from realtime_connections c where c.is_active and c.node > named.node)
    from named where named.node is not null),
orphans as (
  select c.id from named join realtime_connections c on c.node = named.node and c.is_active
   where not exists (select from realtime_nodes n where n.id = named.node)
   limit $1 for update of c skip locked),
closed as (
  update realtime_connections c set is_active = false, closed_at = clock_timestamp()
    from orphans where c.id = orphans.id returning 1)
select count(*)::int as count from closed`;

/** Removes some of the connections that were closed longer ago than this. Answers whether there may be more. */
export async function removeClosedConnections(database: Database, olderThanMs: number): Promise<boolean> {
  const [row] = await database.queryAside<{ count: number }>(
    `with old as (
       select id from realtime_connections where closed_at < clock_timestamp() - $1::float8 * interval '1 ms'
        order by closed_at limit $2 for update skip locked),
     removed as (delete from realtime_connections c using old where c.id = old.id returning 1)
     select count(*)::int as count from removed`,
    [olderThanMs, mostRemovedAtOnce],
  );
  return row!.count === mostRemovedAtOnce;
}
