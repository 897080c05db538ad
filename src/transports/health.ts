/** How long the database may take to answer. */
const answerMs = 2_000;

/** How events reach other nodes: `none` where there are none to reach. */
export type Reach = 'none' | 'polling' | 'connected' | 'away';

/** What several nodes without Redis are to know, at the start and whenever they are asked. */
export const pollingNotice =
  'Without REDIS_URL other nodes hear of events by reading the journal, within two seconds; presence, awareness ' +
  'and ephemeral events stay on this node.';

/**
 * 200 while this node should be sent clients, 503 with what is missing otherwise. Without Redis it is still of
 * use, only slower.
 */
export function createReadiness({ ask, isDraining, reach }: ReadinessOptions) {
  return async (): Promise<{ status: number; body: object }> => {
    const notReady = (missing: object) => ({ status: 503, body: { status: 'not ready', missing } });
    // At once, so that no balancer is late.
    if (isDraining()) return notReady({ draining: 'this node is going away' });
    if (!(await answers(ask))) return notReady({ postgres: 'does not answer' });
    switch (reach()) {
      case 'away':
        return { status: 200, body: { status: 'degraded', missing: { redis: 'does not answer' } } };
      case 'polling':
        return { status: 200, body: { status: 'ready', notice: pollingNotice } };
      default:
        return { status: 200, body: { status: 'ready' } };
    }
  };
}

interface ReadinessOptions {
  /** Anything that the database has to answer. */
  ask(): Promise<unknown>;
  isDraining(): boolean;
  reach(): Reach;
}

async function answers(ask: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), answerMs);
  });
  try {
    return await Promise.race([ask().then(() => true), late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
