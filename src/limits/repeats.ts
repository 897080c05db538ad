import { hash, randomUUID } from 'node:crypto';
import type { Counter } from '../redis/counter.ts';

/** So many times within this may one body be said. */
export const sameBody = { count: 4, perMs: 10_000 } as const;

/** What somebody wants to say. */
export interface Saying {
  readonly channel: string;
  readonly body: string;
  readonly clientId?: string | null;
}

/**
 * Adds what was said at one node, which may have been added before, to what was said at all of them. Answers null
 * when the last of it is not too much, and otherwise how long it is until it would not be.
 */
const addOccurrences = `
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for index = 3, #ARGV, 2 do redis.call('zadd', KEYS[1], 'NX', now - ARGV[index], ARGV[index + 1]) end
redis.call('zremrangebyscore', KEYS[1], '-inf', now - ARGV[1])
redis.call('pexpire', KEYS[1], ARGV[1])
if redis.call('zcard', KEYS[1]) <= tonumber(ARGV[2]) then return false end
redis.call('zrem', KEYS[1], ARGV[#ARGV])
return redis.call('zrange', KEYS[1], 0, 0, 'WITHSCORES')[2] + ARGV[1] - now`;

/**
 * Finds spam: the same body by the same sender in the same channel for the fifth time within ten seconds. The same
 * `clientId` is the same message, however often it is sent. Each node counts by itself, and asks about the others
 * only what was said here more than once: a message that is like no other costs nothing.
 */
export class Repeats {
  readonly #counter: Counter | null;
  readonly #scope: () => string;
  #said = new Map<string, readonly Occurrence[]>();

  constructor({ counter, scope }: RepeatsOptions) {
    this.#counter = counter;
    this.#scope = scope;
  }

  /** A number is the milliseconds after which it may be said; otherwise it may, and can be taken back. */
  async say(senderId: string, { channel, body, clientId = null }: Saying): Promise<number | (() => void)> {
    const key = hash('sha256', JSON.stringify([senderId, channel, body]), 'base64');
    const now = performance.now();
    const before = this.#recent(key, now);
    if (clientId !== null && before.some((other) => other.clientId === clientId)) return () => {};
    if (before.length >= sameBody.count) return Math.ceil(before[0]!.at + sameBody.perMs - now);
    const occurrence = { at: now, clientId, id: randomUUID() };
    const all = [...before, occurrence];
    this.#said.delete(key);
    this.#said.set(key, all);
    const refusedMs = before.length > 0 ? await this.#ask(key, all, now) : null;
    const takeBack = () => this.#takeBack(key, occurrence);
    if (refusedMs === null) return takeBack;
    takeBack();
    return refusedMs;
  }

  async #ask(key: string, occurrences: readonly Occurrence[], now: number): Promise<number | null> {
    if (!this.#counter) return null;
    const { count, perMs } = sameBody;
    const parameters = occurrences.flatMap(({ at, id }) => [Math.floor(now - at), id]);
    return this.#counter.ask(
      (client) =>
        client.eval(addOccurrences, 1, this.#name(key), perMs, count, ...parameters) as Promise<
          number | null
        >,
    );
  }

  /** Those that still count; on the way, whatever does not is let go. */
  #recent(key: string, now: number): readonly Occurrence[] {
    const isRecent = ({ at }: Occurrence) => at > now - sameBody.perMs;
    for (const [old, occurrences] of this.#said) {
      if (isRecent(occurrences.at(-1)!)) break;
      this.#said.delete(old);
    }
    return this.#said.get(key)?.filter(isRecent) ?? [];
  }

  #takeBack(key: string, occurrence: Occurrence): void {
    const rest = this.#said.get(key)?.filter((each) => each !== occurrence) ?? [];
    if (rest.length > 0) this.#said.set(key, rest);
    else this.#said.delete(key);
    void this.#counter?.ask((client) => client.zrem(this.#name(key), occurrence.id));
  }

  #name(key: string): string {
    return `realtime:${this.#scope()}:said:${key}`;
  }
}

interface Occurrence {
  readonly at: number;
  readonly id: string;
  readonly clientId: string | null;
}

interface RepeatsOptions {
  readonly counter: Counter | null;
  /** Names the cluster: others may use the same Redis. */
  scope(): string;
}
