import { createGate, type Log } from '../observability/log.ts';

/** Who ran into a limit. */
export interface Offender {
  readonly userId?: string | null;
  readonly address?: string | null;
}

/** Tells operators who runs into which limit; a flood makes no flood of lines. */
export function createNotices(log: Log): (limit: string, offender: Offender) => void {
  const gates = new Map<string, () => number>();
  return (limit, offender) => {
    const gate = gates.get(limit) ?? createGate();
    gates.set(limit, gate);
    const times = gate();
    if (times > 0) log.warn({ limit, ...offender, times }, 'a limit has been reached');
  };
}
