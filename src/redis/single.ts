import { Redis, type RedisOptions } from 'ioredis';
import { credentials, type Failed, publisherOptions, subscriberOptions, watch } from './connection.ts';
import { type Ear, ServerEar } from './ear.ts';

/** What graphql-redis-subscriptions is given: the two ends of Redis, and how they are. */
export interface Ends {
  readonly publisher: { publish(channel: string, message: string): Promise<unknown> };
  readonly subscriber: Ear;
  /** Whether it is worth trying. */
  canPublish(): boolean;
  /** Both ends, to every server that there is. */
  isReady(): boolean;
  /** Of the last ping, in seconds. */
  roundTrip(): number;
  close(): void;
}

/** One server, or the one that its sentinels name: `redis://one:26379?master=mymaster,redis://two:26379`. */
export function connectSingle(urls: readonly string[], failed: Failed, back: () => void): Ends {
  const publisher = openSingle(urls, publisherOptions);
  const client = openSingle(urls, subscriberOptions);
  const subscriber = new ServerEar({ client, isSharded: false, back, failed });
  let roundTrip = 0;
  const answered = (seconds: number) => {
    roundTrip = seconds;
  };
  const ends = [publisher, client].map((each) => watch(each, failed, answered));
  return {
    publisher,
    subscriber,
    canPublish: () => publisher.status === 'ready',
    isReady: () => publisher.status === 'ready' && subscriber.isReady,
    roundTrip: () => roundTrip,
    close: () => {
      for (const end of ends) end();
    },
  };
}

/** Not connected yet. */
export function openSingle(urls: readonly string[], options: RedisOptions): Redis {
  return isSentinel(urls)
    ? new Redis({ ...options, ...sentinelOptions(urls) })
    : new Redis(urls[0]!, options);
}

/** Whether several addresses are those of nodes of a cluster. */
export function isCluster(urls: readonly string[]): boolean {
  return urls.length > 1 && !isSentinel(urls);
}

function isSentinel(urls: readonly string[]): boolean {
  return urls.some((url) => new URL(url).searchParams.has('master'));
}

/** User, password, database and TLS are those of the addresses, and meant for the master. */
function sentinelOptions(urls: readonly string[]): RedisOptions {
  const addresses = urls.map((url) => new URL(url));
  const { pathname } = addresses[0]!;
  return {
    sentinels: addresses.map(({ hostname, port }) => ({ host: hostname, port: Number(port || 26_379) })),
    name: addresses.find(({ searchParams }) => searchParams.has('master'))!.searchParams.get('master')!,
    ...credentials(addresses[0]!),
    ...(pathname.length > 1 ? { db: Number(pathname.slice(1)) } : {}),
  };
}
