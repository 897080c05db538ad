import type { Follower } from '../../support/follower.ts';
import { inWords, spread } from '../../support/spread.ts';
import type { SteadySender } from '../../support/steady-sender.ts';
import type { Audience } from './audience.ts';

/** Prints what clients and senders lived through. */
export function report({ sender, audience, connections, rolledFrom, tookMs }: Seen): void {
  const absences = (followers: readonly Follower[]) =>
    spread(followers.flatMap((follower) => follower.absences));
  const latencies = (numbers: readonly number[]) =>
    spread(numbers.map((number) => sender.acknowledgedAt[number]! - sender.sentAt[number]!));
  const isCalm = (number: number) => sender.acknowledgedAt[number]! < rolledFrom;
  const calm = sender.acknowledged.filter(isCalm);
  const rolling = sender.acknowledged.slice(calm.length);
  const [from, to] = [sender.sentAt[0]!, sender.acknowledgedAt[sender.acknowledged.at(-1)!]!];
  // Fewer than were asked for when the machine has its hands full.
  const achieved = Math.round(sender.acknowledged.length / ((to - from) / 1_000));
  const failures = [...sender.failures].map(([what, count]) => `${count} × ${what}`).join(', ') || 'none';
  const missed = audience.stock.map((follower) =>
    missedBy(follower, sender.acknowledgedIn(follower.channel)),
  );
  const total = missed.reduce((sum, count) => sum + count, 0);
  const repeated = audience.stock.map(({ heard }) => heard.length - new Set(heard).size);
  const gone = audience.stock.filter(({ endedBy }) => endedBy);
  const lines = [
    `sent: ${sender.acknowledged.length} in ${inWords(tookMs)}, ${achieved} per second`,
    `before the first stop, acknowledged within ${latencies(calm)}`,
    `while nodes were rolled, acknowledged within ${latencies(rolling)}`,
    `failed sends, each tried again: ${failures}`,
    `resuming sockets were away ${absences(audience.of('socket'))}`,
    `resuming event streams were away ${absences(audience.of('stream'))}`,
    `stock graphql-ws was away ${absences(audience.stock)}`,
    `stock graphql-ws missed ${total} messages, ${(total / missed.length).toFixed(1)} per client, at most ${Math.max(...missed)}; ` +
      `saw ${repeated.reduce((sum, count) => sum + count, 0)} twice; gave up: ${gone.length}`,
    ...[...new Set(gone.map(({ endedBy }) => `  ${endedBy}`))],
    `connections at the end, by node: ${connections.join(', ')}`,
  ];
  console.log(lines.join('\n'));
}

/** Since its first one: it began from now. */
function missedBy({ heard }: Follower, acknowledged: readonly number[]): number {
  const has = new Set(heard);
  return acknowledged.filter((number) => number > heard[0]! && !has.has(number)).length;
}

interface Seen {
  readonly sender: SteadySender;
  readonly audience: Audience;
  /** Of each node, at the end. */
  readonly connections: readonly number[];
  /** When the first node was stopped. */
  readonly rolledFrom: number;
  readonly tookMs: number;
}
