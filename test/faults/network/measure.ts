import type { Follower } from '../../support/follower.ts';
import type { SteadySender } from '../../support/steady-sender.ts';

/** For how long everything has to come in time to be called normal. */
const calmMs = 1_000;

/** The longest time without a message that one of the followers had from `from` to `to`. */
export function longestSilence(followers: readonly Follower[], from: number, to: number): number {
  return Math.max(
    ...followers.map(({ heardAt }) => {
      const within = [...heardAt.values()].filter((at) => at > from && at < to);
      return Math.max(...[...within, to].map((at, index) => at - (within[index - 1] ?? from)));
    }),
  );
}

/** How long messages that were sent from `from` to `to` took to each of the followers. */
export function latencies(
  sender: SteadySender,
  followers: readonly Follower[],
  from: number,
  to: number,
): number[] {
  const isWithin = (number: number) => sender.sentAt[number]! > from && sender.sentAt[number]! < to;
  const sent = sender.acknowledged.filter(isWithin);
  return followers.flatMap(({ heardAt }) =>
    sent.map((number) => (heardAt.get(number) ?? performance.now()) - sender.sentAt[number]!),
  );
}

/**
 * Since when every message has come in time to all the followers: null as long as that is not a second ago. What
 * has not come yet counts as late when it is.
 */
export function normalSince(
  sender: SteadySender,
  followers: readonly Follower[],
  from: number,
  inTimeMs: number,
): number | null {
  const now = performance.now();
  let since = from;
  let last = from;
  for (const number of sender.acknowledged) {
    const sentAt = sender.sentAt[number]!;
    if (sentAt < from) continue;
    for (const { heardAt } of followers) {
      const at = heardAt.get(number) ?? now;
      if (at - sentAt > inTimeMs) since = Math.max(since, at);
      last = Math.max(last, at);
    }
  }
  return last - since >= calmMs ? since : null;
}
