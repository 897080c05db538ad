import type { Fitness } from '../db/migrate.ts';
import { inTime } from '../lib/in-time.ts';

/** How long the database may take to answer. */
const answerMs = 2_000;

/** How events reach other nodes: `none` where there are none to reach. */
export type Reach = 'none' | 'polling' | 'connected' | 'away';

/** What several nodes without Redis are to know, at the start and whenever they are asked. */
export const pollingNotice =
  'Without REDIS_URL other nodes hear of events by reading the journal, within two seconds; presence, awareness ' +
  'and ephemeral events stay on this node.';

/** Migrations only add, so an older node goes on: all old ones leave at once otherwise, before new ones are there. */
const newerNotice = 'The database has been migrated by a newer version, which is to take over.';

interface Health {
  readonly status: number;
  readonly body: object;
}

/**
 * 200 while this node should be sent clients, 503 with what is missing otherwise. Without Redis it is still of
 * use, only slower.
 */
export function createReadiness({ look, isDraining, reach }: ReadinessOptions): () => Promise<Health> {
  const notReady = (missing: object) => ({ status: 503, body: { status: 'not ready', missing } });
  return async () => {
    // At once, so that no balancer is late.
    if (isDraining()) return notReady({ draining: 'this node is going away' });
    const fitness = await inTime<Fitness | null>(look(), null, answerMs);
    if (fitness === null) return notReady({ postgres: 'does not answer' });
    const { missing, unknown, isReadOnly } = fitness;
    if (isReadOnly) return notReady({ postgres: 'takes no writes' });
    if (missing > 0) return notReady({ migrations: `${missing} have not been applied` });
    const notices = [
      ...(reach() === 'polling' ? [pollingNotice] : []),
      ...(unknown > 0 ? [newerNotice] : []),
    ];
    const notice = notices.length > 0 ? { notice: notices.join(' ') } : {};
    if (reach() !== 'away') return { status: 200, body: { status: 'ready', ...notice } };
    return { status: 200, body: { status: 'degraded', missing: { redis: 'does not answer' }, ...notice } };
  };
}

interface ReadinessOptions {
  look(): Promise<Fitness>;
  isDraining(): boolean;
  reach(): Reach;
}
