import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { listenToHeart } from '../lib/heart.ts';

export type Failed = (error: unknown) => void;
/** A ping was answered within so many seconds. */
export type Answered = (seconds: number) => void;

const firstRetryMs = 50;
const slowestRetryMs = 500;
/** A ping is sent this often, and who has not answered for so many is not there, whatever TCP says. */
const beatMs = 500;
const mostBeats = 4;

const always: RedisOptions = {
  // For ever: a client that has given up would be deaf for good.
  retryStrategy: (attempt) => Math.min(firstRetryMs * 2 ** Math.min(attempt, 10), slowestRetryMs),
  // What was begun while the network was cut is begun anew soon after it has healed.
  connectTimeout: 2_000,
  // A connection that does not close within this is dropped.
  disconnectTimeout: 500,
  lazyConnect: true,
};

export const subscriberOptions: RedisOptions = {
  ...always,
  maxRetriesPerRequest: null,
  // On a cluster ioredis would ask for channels of several slots at once, and drop the refusal.
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
};

/** What cannot be said now is not said later: the journal has it. */
export const publisherOptions: RedisOptions = {
  ...always,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  commandTimeout: 1_000,
  // What is published in one turn goes out in one write.
  enableAutoPipelining: true,
};

/** What an address says of who connects, and whether by TLS. */
export function credentials({ username, password, protocol }: URL): RedisOptions {
  return {
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
  };
}

/** Tells once of each loss. */
export function tellOnce(client: Redis | Cluster, failed: Failed): void {
  let isTold = false;
  client.on('error', (error) => {
    if (!isTold) failed(error);
    isTold = true;
  });
  client.on('ready', () => {
    isTold = false;
  });
}

/** Connects, and drops a connection that has gone silent. Tells once of each loss. The answer ends it for good. */
export function watch(client: Redis, failed: Failed, answered?: Answered): () => void {
  tellOnce(client, failed);
  const stop = ping(client, answered);
  client.connect().catch(ignored);
  return () => {
    stop();
    client.disconnect();
  };
}

/** Drops a connection that has gone silent; whoever made it makes another. The answer ends the pinging. */
export function ping(client: Redis, answered?: Answered): () => void {
  return listenToHeart({
    everyMs: beatMs,
    beats: mostBeats,
    ask: async () => {
      if (client.status !== 'ready') return;
      const askedAt = performance.now();
      await client.ping();
      answered?.((performance.now() - askedAt) / 1_000);
    },
    silent: () => client.disconnect(true),
  });
}

export const ignored = () => {};
