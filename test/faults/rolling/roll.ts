import type { Follower } from '../../support/follower.ts';
import type { NodeProcess } from '../../support/node-process.ts';
import { inWords } from '../../support/spread.ts';
import { until } from '../../support/until.ts';

/** Sending away takes the time of DRAIN_SECONDS, the last answers five seconds more. */
const endsWithinMs = 15_000;

/** What was seen while one node was stopped and started. */
export interface Rolled {
  readonly name: string;
  readonly code: number | null;
  /** From the signal to the first 503 of `/ready`; null when there was none. */
  readonly refusedAfterMs: number | null;
  /** How many connections were lost in all, and before the question that was answered with 503. */
  readonly lost: number;
  readonly lostBefore: number;
  readonly endedAfterMs: number;
  readonly readyAfterMs: number;
}

/** Stops a node as a deployment does, and starts it again at the same address. */
export async function roll(node: NodeProcess, everybody: readonly Follower[]): Promise<Rolled> {
  const signalledAt = performance.now();
  node.signal('SIGTERM');
  let isEnded = false;
  void node.ended.then(() => {
    isEnded = true;
  });
  let askedAt: number | null = null;
  let refusedAt: number | null = null;
  await until(`${node.name} has ended`, endsWithinMs, async () => {
    if (refusedAt === null) {
      askedAt = performance.now();
      if ((await node.readiness()) === 503) refusedAt = performance.now();
    }
    return isEnded;
  });
  const endedAt = performance.now();
  const code = await node.ended;
  const readyAfterMs = await node.start();
  const losses = everybody
    .flatMap((follower) => follower.losses)
    .filter((at) => at >= signalledAt && at <= endedAt);
  return {
    name: node.name,
    code,
    refusedAfterMs: refusedAt === null ? null : refusedAt - signalledAt,
    lost: losses.length,
    lostBefore: losses.filter((at) => at < (askedAt ?? endedAt)).length,
    endedAfterMs: endedAt - signalledAt,
    readyAfterMs,
  };
}

/** One line for people. */
export function describeRoll({ name, code, refusedAfterMs, lost, lostBefore, ...times }: Rolled): string {
  const refused = refusedAfterMs === null ? 'never' : `after ${inWords(refusedAfterMs)}`;
  return (
    `${name}: /ready said 503 ${refused}, when ${lostBefore} of ${lost} connections were gone; ` +
    `exit code ${code} after ${inWords(times.endedAfterMs)}; ready again after ${inWords(times.readyAfterMs)}`
  );
}

/** Draining begins with the first connection: that one may go at the very moment of the first 503. */
const goneAtOnce = 3;

/** What was wrong with it, in words. */
export function faultsOf({ name, code, refusedAfterMs, lostBefore }: Rolled): string[] {
  return [
    ...(code === 0 ? [] : [`${name} ended with ${code}`]),
    ...(refusedAfterMs === null ? [`${name} never said 503 at /ready`] : []),
    ...(lostBefore <= goneAtOnce ? [] : [`${name} sent ${lostBefore} away before /ready said 503`]),
  ];
}
