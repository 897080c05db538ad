import type { Log } from '../observability/log.ts';

/** Of each kind one line in so long, with how often there was reason for it. */
const everyMs = 5_000;

/** Who ran into a limit. */
export interface Offender {
  readonly userId?: string | null;
  readonly address?: string | null;
}

/** Tells operators who runs into which limit; a flood makes no flood of lines. */
export function createNotices(log: Log): (limit: string, offender: Offender) => void {
  const kinds = new Map<string, { times: number; saidAt: number }>();
  return (limit, offender) => {
    const kind = kinds.get(limit) ?? { times: 0, saidAt: Number.NEGATIVE_INFINITY };
    kinds.set(limit, kind);
    kind.times += 1;
    if (performance.now() - kind.saidAt < everyMs) return;
    log.warn({ limit, ...offender, times: kind.times }, 'a limit has been reached');
    Object.assign(kind, { times: 0, saidAt: performance.now() });
  };
}
