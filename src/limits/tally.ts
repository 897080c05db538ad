import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Rate } from '../config.ts';
import type { Counter } from '../redis/counter.ts';

/** What became of a wish. */
export interface Reserved {
  /** How many of them are within the rate. */
  readonly granted: number;
  /** Milliseconds until the window ends that they were counted to. */
  readonly endsInMs: number;
}

/** Counts how much was asked for under a key, in windows that begin when it is first asked for. */
export interface Tally {
  reserve(key: string, count: number): Promise<Reserved>;
}

/**
 * The library counts whole seconds and hands the number of its `duration` through: here it is milliseconds. The
 * window is renewed where its end was lost, so that nobody is locked out for good.
 */
const countInMilliseconds = `
local used = redis.call('incrby', KEYS[1], ARGV[1])
local left = redis.call('pttl', KEYS[1])
if left < 0 then
  redis.call('pexpire', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {used, left}`;

/** Of all nodes together, in Redis, and of this node alone while that is away; without Redis always of this node. */
export function createTally({ name, rate: { count: points, perMs }, counter, scope }: TallyOptions) {
  const here = new RateLimiterMemory({ points, duration: perMs / 1_000 });
  const everywhere =
    counter &&
    new RateLimiterRedis({
      storeClient: counter.client,
      keyPrefix: '',
      points,
      duration: perMs,
      customIncrTtlLuaScript: countInMilliseconds,
    });

  return {
    async reserve(key, count) {
      const answer =
        everywhere &&
        (await counter.ask(() => consume(everywhere, `realtime:${scope()}:${name}:${key}`, count)));
      return answer ?? consume(here, key, count);
    },
  } satisfies Tally;

  async function consume(limiter: RateLimiterMemory | RateLimiterRedis, key: string, count: number) {
    const { consumedPoints, msBeforeNext } = await limiter.consume(key, count).catch((refused) => {
      if (refused instanceof RateLimiterRes) return refused;
      throw refused;
    });
    const granted = Math.min(Math.max(count - Math.max(consumedPoints - points, 0), 0), count);
    return { granted, endsInMs: msBeforeNext };
  }
}

interface TallyOptions {
  /** Of what is counted. */
  readonly name: string;
  readonly rate: Rate;
  /** Null: this node is all there is. */
  readonly counter: Counter | null;
  /** Names the cluster: others may use the same Redis. */
  scope(): string;
}
