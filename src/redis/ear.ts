import type { Redis } from 'ioredis';
import { type Failed, ignored } from './connection.ts';

/** The listening end, as graphql-redis-subscriptions knows it. */
export interface Ear {
  /** Whether it is worth trying. */
  canSubscribe(channel: string): boolean;
  /** Of the event `message` alone; the one of patterns is asked for too, and never happens. */
  on(event: string, tell: (channel: string, message: string) => void): void;
  /** Calls back once Redis listens. What is refused is tried again. */
  subscribe(channel: string, done: () => void): void;
  unsubscribe(channel: string): void;
  /** Patterns are not used. */
  punsubscribe(): void;
}

/** Servers refuse for a while: their memory is full, or a slot is on its way to another. */
const refusedMs = 500;

/** One server's channels: they are subscribed to again on each new connection, and it is known when that is done. */
export class ServerEar implements Ear {
  readonly #client: Redis;
  readonly #isSharded: boolean;
  readonly #back: () => void;
  readonly #failed: Failed;
  /** Each with whom to call once it is listened to for the first time. */
  #channels = new Map<string, () => void>();

  constructor({ client, isSharded, back, failed }: ServerEarOptions) {
    this.#client = client;
    this.#isSharded = isSharded;
    this.#back = back;
    this.#failed = failed;
    client.on('ready', () => void this.#resume());
  }

  get isReady(): boolean {
    return this.#client.status === 'ready';
  }

  canSubscribe(): boolean {
    return this.isReady;
  }

  on(event: string, tell: (channel: string, message: string) => void): void {
    if (event === 'message') this.#client.on(this.#isSharded ? 'smessage' : 'message', tell);
  }

  subscribe(channel: string, done: () => void): void {
    this.#channels.set(channel, done);
    if (this.isReady) void this.#ask(channel);
  }

  unsubscribe(channel: string): void {
    this.#channels.delete(channel);
    if (!this.isReady) return;
    const answer = this.#isSharded ? this.#client.sunsubscribe(channel) : this.#client.unsubscribe(channel);
    answer.catch(ignored);
  }

  punsubscribe(): void {}

  /** Channels of several slots cannot be asked for at once; in one turn they go out in one write all the same. */
  async #resume(): Promise<void> {
    await Promise.all([...this.#channels.keys()].map((channel) => this.#ask(channel)));
    if (this.isReady) this.#back();
  }

  async #ask(channel: string): Promise<void> {
    try {
      await (this.#isSharded ? this.#client.ssubscribe(channel) : this.#client.subscribe(channel));
    } catch (error) {
      // A connection that is lost meanwhile asks for everything anew.
      if (!this.isReady || !this.#channels.has(channel)) return;
      this.#failed(error);
      setTimeout(() => {
        if (this.isReady && this.#channels.has(channel)) void this.#ask(channel);
      }, refusedMs);
      return;
    }
    const done = this.#channels.get(channel);
    if (!done) return;
    this.#channels.set(channel, ignored);
    done();
  }
}

interface ServerEarOptions {
  readonly client: Redis;
  readonly isSharded: boolean;
  /** The connection was made, and everything is listened to. */
  back(): void;
  failed: Failed;
}
