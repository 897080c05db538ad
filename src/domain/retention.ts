import type { Database } from '../db/database.ts';
import type { Partitions } from '../db/partitions.ts';
import { removeClosedConnections } from '../db/put-away.ts';
import type { Step } from '../db/retention.ts';
import { removeExpired } from './notification-expiry.ts';

/** What there is to do about what is kept for as long as events are, by the names of the metrics. */
export function retentionTasks({ database, partitions, retentionMs }: TasksOptions): Record<string, Step> {
  return {
    partitions: async () => {
      await partitions.ensure();
      return false;
    },
    journal: () => partitions.dropOldest(),
    notifications: () => removeExpired(database, retentionMs),
    connections: () => removeClosedConnections(database, retentionMs),
  };
}

interface TasksOptions {
  readonly database: Database;
  readonly partitions: Partitions;
  readonly retentionMs: number;
}
