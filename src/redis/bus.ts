import { RedisPubSub } from 'graphql-redis-subscriptions';
import { type Bus, type BusMessage, type Listening, MemoryBus } from '../realtime/bus.ts';
import { connectCluster } from './cluster.ts';
import { type Failed, ignored } from './connection.ts';
import { connectSingle, type Ends, isCluster } from './single.ts';

/** Between who published a message and the message. */
const separator = '|';

/**
 * The bus between nodes: Redis publish/subscribe, by the callbacks of graphql-redis-subscriptions.
 *
 *   publish ──► listeners of this process, at once
 *       └─────► Redis ──► listeners of the others
 *
 * What Redis cannot take at this moment is dropped, and nobody waits for it. What cannot be listened to at this
 * moment waits for its return, and can be stopped while it waits.
 */
export class RedisBus implements Bus {
  readonly #origin: string;
  readonly #ends: Ends;
  readonly #pubsub: RedisPubSub;
  readonly #local = new MemoryBus();
  readonly #failed: Failed;
  #waiting = new Map<() => void, string>();
  #back = () => {};
  #isClosed = false;

  constructor({ urls, origin, failed }: RedisBusOptions) {
    this.#origin = origin + separator;
    this.#failed = failed;
    const connect = isCluster(urls) ? connectCluster : connectSingle;
    this.#ends = connect(urls, failed, () => {
      for (const [start, topic] of this.#waiting) if (this.#ends.subscriber.canSubscribe(topic)) start();
      this.#back();
    });
    this.#pubsub = new RedisPubSub({
      publisher: this.#ends.publisher as never,
      subscriber: this.#ends.subscriber as never,
      serializer: (message) => this.#origin + JSON.stringify(message),
      deserializer: (source) => this.#open(String(source)),
    });
  }

  get isConnected(): boolean {
    return this.#ends.isReady();
  }

  get roundTripSeconds(): number {
    return this.#ends.roundTrip();
  }

  publish(topic: string, message: BusMessage): void {
    this.#local.publish(topic, message);
    if (this.#ends.canPublish()) this.#pubsub.publish(topic, message).catch(ignored);
  }

  listen(topic: string, tell: (message: BusMessage) => void): Listening {
    const local = this.#local.listen(topic, tell);
    let remote: number | undefined;
    let isStopped = false;
    let start = ignored;
    const listening = new Promise<void>((resolve) => {
      start = () => {
        this.#waiting.delete(start);
        void this.#pubsub
          .subscribe(topic, (message) => this.#tell(tell, message))
          .then((id) => {
            remote = id;
            if (isStopped) this.#unsubscribe(id);
            resolve();
          });
      };
    });
    if (this.#ends.subscriber.canSubscribe(topic)) start();
    else this.#waiting.set(start, topic);
    const stop = () => {
      local.stop();
      this.#waiting.delete(start);
      if (!isStopped && remote !== undefined) this.#unsubscribe(remote);
      isStopped = true;
    };
    return { listening, stop };
  }

  onBack(tell: () => void): void {
    this.#back = tell;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#waiting.clear();
    await this.#local.close();
    // What was published in this turn leaves at its end: that the lease is free, for one.
    await new Promise((resolve) => setImmediate(resolve));
    this.#ends.close();
  }

  #unsubscribe(id: number): void {
    if (!this.#isClosed) this.#pubsub.unsubscribe(id);
  }

  /** One that fails must not keep the others from hearing. */
  #tell(tell: (message: BusMessage) => void, message: BusMessage | undefined): void {
    if (message === undefined || this.#isClosed) return;
    try {
      tell(message);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Undefined for what this process published itself. */
  #open(text: string): BusMessage | undefined {
    if (text.startsWith(this.#origin)) return undefined;
    return JSON.parse(text.slice(text.indexOf(separator) + 1)) as BusMessage;
  }
}

interface RedisBusOptions {
  /** One server, the sentinels of one, or nodes of a cluster. */
  readonly urls: readonly string[];
  /** Names this process. */
  readonly origin: string;
  failed: Failed;
}
