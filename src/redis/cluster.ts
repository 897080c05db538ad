import calculateSlot from 'cluster-key-slot';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import {
  type Answered,
  credentials,
  type Failed,
  ignored,
  ping,
  publisherOptions,
  subscriberOptions,
  tellOnce,
  watch,
} from './connection.ts';
import { type Ear, ServerEar } from './ear.ts';
import type { Ends } from './single.ts';

/** How often it is asked which master has which slots. */
const topologyMs = 1_000;

type Tell = (channel: string, message: string) => void;
/** First and last slot, then the servers that have them, the master first: host, port, … */
type SlotRange = [number, number, ...[string, number, ...unknown[]][]];

/** A client of all masters, which drops those that have gone silent. */
export function openCluster(urls: readonly string[], options: RedisOptions, failed: Failed) {
  const addresses = urls.map((url) => new URL(url));
  const cluster = new Cluster(
    addresses.map(({ hostname, port }) => ({ host: hostname, port: Number(port || 6_379) })),
    {
      // The client itself gathers what goes out in one write.
      redisOptions: { ...options, ...credentials(addresses[0]!), enableAutoPipelining: false },
      enableOfflineQueue: false,
      enableAutoPipelining: options.enableAutoPipelining,
      // With one master away the others still carry what is theirs.
      enableReadyCheck: false,
      clusterRetryStrategy: () => topologyMs,
      maxRedirections: 2,
      retryDelayOnFailover: 100,
      retryDelayOnClusterDown: 100,
    },
  );
  tellOnce(cluster, failed);
  const pings = new Map<Redis, () => void>();
  const forget = (node: Redis) => {
    pings.get(node)?.();
    pings.delete(node);
  };
  cluster.on('+node', (node: Redis) => pings.set(node, ping(node)));
  cluster.on('-node', forget);
  const close = () => {
    cluster.disconnect();
    for (const node of [...pings.keys()]) forget(node);
  };
  return { cluster, close };
}

/** A Redis Cluster, by sharded publish/subscribe: a message is carried by the one master that has its channel's slot. */
export function connectCluster(urls: readonly string[], failed: Failed, back: () => void): Ends {
  const { cluster, close } = openCluster(urls, publisherOptions, failed);
  const open = (host: string, port: number) => {
    const options = { ...subscriberOptions, ...credentials(new URL(urls[0]!)) };
    return new Redis({ ...options, host, port });
  };
  let roundTrip = 0;
  const answered = (seconds: number) => {
    roundTrip = seconds;
  };
  const subscriber = new ClusterEar({ cluster, open, back, failed, answered });
  return {
    publisher: { publish: (channel, message) => cluster.spublish(channel, message) },
    subscriber,
    canPublish: () => cluster.status === 'ready',
    isReady: () => cluster.status === 'ready' && subscriber.isReady,
    roundTrip: () => roundTrip,
    close: () => {
      subscriber.close();
      close();
    },
  };
}

/** Listens to each channel at the master that has its slot, and moves with it. */
class ClusterEar implements Ear {
  readonly #options: ClusterEarOptions;
  readonly #timer: NodeJS.Timeout;
  #masters = new Map<string, { readonly ear: ServerEar; close(): void }>();
  /** Slot → master. */
  #owners: string[] = [];
  #channels = new Map<string, { at: string | undefined; done: () => void }>();
  #tells: Tell[] = [];
  #isAsking = false;

  constructor(options: ClusterEarOptions) {
    this.#options = options;
    options.cluster.on('ready', () => void this.#refresh());
    this.#timer = setInterval(() => void this.#refresh(), topologyMs);
  }

  get isReady(): boolean {
    return this.#masters.size > 0 && [...this.#masters.values()].every(({ ear }) => ear.isReady);
  }

  canSubscribe(channel: string): boolean {
    const owner = this.#owners[calculateSlot(channel)];
    return owner !== undefined && this.#masters.get(owner)!.ear.isReady;
  }

  on(event: string, tell: Tell): void {
    if (event === 'message') this.#tells.push(tell);
  }

  subscribe(channel: string, done: () => void): void {
    this.#channels.set(channel, { at: undefined, done });
    this.#place(channel);
  }

  unsubscribe(channel: string): void {
    const at = this.#channels.get(channel)?.at;
    this.#channels.delete(channel);
    if (at !== undefined) this.#masters.get(at)?.ear.unsubscribe(channel);
  }

  punsubscribe(): void {}

  close(): void {
    clearInterval(this.#timer);
    for (const { close } of this.#masters.values()) close();
  }

  #place(channel: string): void {
    const place = this.#channels.get(channel)!;
    const owner = this.#owners[calculateSlot(channel)];
    if (place.at === owner) return;
    if (place.at !== undefined) this.#masters.get(place.at)?.ear.unsubscribe(channel);
    place.at = owner;
    // A slot that nobody has is looked for anew.
    if (owner === undefined) return;
    this.#masters.get(owner)!.ear.subscribe(channel, () => {
      const { done } = place;
      // Who asked is called once, however often the slot moves.
      place.done = ignored;
      done();
    });
  }

  async #refresh(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      this.#settle((await this.#options.cluster.cluster('SLOTS')) as SlotRange[]);
    } catch {
      // None of them answers: what is known stays.
    } finally {
      this.#isAsking = false;
    }
  }

  #settle(ranges: readonly SlotRange[]): void {
    const owners: string[] = [];
    for (const [first, last, [host, port]] of ranges as [number, number, [string, number]][]) {
      const address = `${host}:${port}`;
      if (!this.#masters.has(address)) this.#masters.set(address, this.#join(host, port));
      for (let slot = first; slot <= last; slot += 1) owners[slot] = address;
    }
    this.#owners = owners;
    for (const channel of this.#channels.keys()) this.#place(channel);
    const inUse = new Set(owners);
    for (const [address, { close }] of this.#masters) {
      if (inUse.has(address)) continue;
      close();
      this.#masters.delete(address);
    }
  }

  #join(host: string, port: number) {
    const { open, back, failed, answered } = this.#options;
    const client = open(host, port);
    const ear = new ServerEar({ client, isSharded: true, back, failed });
    ear.on('message', (channel, message) => {
      for (const tell of this.#tells) tell(channel, message);
    });
    return { ear, close: watch(client, failed, answered) };
  }
}

interface ClusterEarOptions {
  readonly cluster: Cluster;
  open(host: string, port: number): Redis;
  back(): void;
  failed: Failed;
  answered: Answered;
}
