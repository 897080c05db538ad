import { inBatches } from '../lib/batches.ts';
import type { Database } from './database.ts';

/** A node that has not been seen for this long holds no connections, whatever the table says. */
const silentInterval = "interval '5 s'";

const open = `
  from realtime_connections c join realtime_nodes n on n.id = c.node
 where c.is_active and c.closed_at is null and c.channel is null and n.seen_at > clock_timestamp() - ${silentInterval}`;

export type ConnectionCounts = ReturnType<typeof createConnectionCounts>;

/** How many connections users have in the cluster, as the registries of all nodes have written down. */
export function createConnectionCounts(database: Database, node: string) {
  return {
    /** On the other nodes. Of a crowd it is asked together. */
    elsewhere: inBatches<string, number>(async (userIds) => {
      const rows = await database.query<{ userId: string; count: number }>(
        `select c.user_id as "userId", count(*)::int as count ${open} and c.user_id = any($1) and c.node <> $2
          group by c.user_id`,
        [userIds, node],
      );
      const counts = new Map(rows.map(({ userId, count }) => [userId, count]));
      return userIds.map((userId) => counts.get(userId) ?? 0);
    }),

    /** Which of this node's connections of these users are beyond the first `most` of the cluster. */
    async beyond(userIds: readonly string[], most: number): Promise<string[]> {
      const rows = await database.query<{ id: string }>(
        `select id from (
           select c.id, c.node, row_number() over (partition by c.user_id order by c.connected_at, c.id) as place
           ${open} and c.user_id = any($1)) as placed
          where place > $2 and node = $3`,
        [userIds, most, node],
      );
      return rows.map(({ id }) => id);
    },
  };
}
