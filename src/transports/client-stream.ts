import type { Viewer } from '../domain/viewer.ts';
import type { Rendered } from '../realtime/renderings.ts';
import type { EndReason, Subscriber } from '../realtime/subscriber.ts';
import type { ViewerSink } from './groups.ts';
import type { Client, Leaving } from './socket.ts';
import { endError, type Opened } from './subscription.ts';

/** While the database is away, what is opened again is tried again this often. */
const retryMs = 250;

/**
 * One subscription of one socket. Payloads are written straight to the socket; as an iterable, which is how
 * graphql-ws knows it, it yields nothing and tells when it is over.
 */
export class ClientStream implements ViewerSink, AsyncGenerator<never, undefined>, Leaving {
  /** Whose rights it goes by: those of its beginning, until roles are lost. */
  viewer: Viewer;
  subscriber: Subscriber | undefined;
  readonly cost: number;
  readonly characters: number;
  /** Another operation has its id by now. */
  isReplaced = false;
  #isReopening = false;
  readonly #client: Client;
  readonly #id: string;
  readonly #openBehind: OpenBehind;
  /** How each of its frames begins. */
  #start: Buffer | undefined;
  #over: IteratorResult<never, undefined> | Error | undefined;
  #tell: (() => void) | undefined;

  constructor(
    client: Client,
    id: string,
    { cost, characters }: Pick<Leaving, 'cost' | 'characters'>,
    openBehind: OpenBehind,
  ) {
    this.cost = cost;
    this.characters = characters;
    this.#client = client;
    // Nobody subscribes before they are signed in.
    this.viewer = client.viewer!;
    this.#openBehind = openBehind;
    client.streams.set(id, this);
    this.#id = id;
  }

  get isFull(): boolean {
    return this.#client.isFull;
  }

  write({ payload, bytes }: Rendered): void {
    this.#start ??= Buffer.from(`{"id":${JSON.stringify(this.#id)},"type":"next","payload":`);
    bytes.websocket ??= Buffer.from(`${payload}}`);
    this.#client.write(this.#start, bytes.websocket);
  }

  drained(): Promise<void> {
    return this.#client.drained();
  }

  end(reason: EndReason): void {
    this.#finish(endError(reason));
  }

  next(): Promise<IteratorResult<never, undefined>> {
    return new Promise((resolve, reject) => {
      this.#tell = () => (this.#over instanceof Error ? reject(this.#over) : resolve(this.#over!));
      if (this.#over) this.#tell();
    });
  }

  /** The client has left. */
  async return(): Promise<IteratorResult<never, undefined>> {
    this.leave();
    return done;
  }

  follow(subscriber: Subscriber): void {
    this.subscriber = subscriber;
    if (this.#over) subscriber.close();
    else this.#client.subscribed();
  }

  leave(): void {
    this.#finish(done);
  }

  /** The client has left it, though it may not be attached yet, and takes its id again. */
  replace(): void {
    this.isReplaced = true;
    this.leave();
  }

  isBeyond(viewer: Viewer): boolean {
    return this.viewer.roles.some((role) => !viewer.roles.includes(role));
  }

  /**
   * Its viewer has lost roles: nothing more is delivered by them. What the viewer may still have goes on behind
   * what has been sent, and what they may not ends. Nothing happens where it is not attached yet.
   */
  reopen(viewer: Viewer): void {
    const subscriber = this.subscriber;
    if (!subscriber || this.#over || !this.isBeyond(viewer)) return;
    this.viewer = viewer;
    if (this.#isReopening) return;
    const { reached } = subscriber;
    subscriber.close();
    this.#isReopening = true;
    void this.#openAgain(reached);
  }

  async #openAgain(position: number): Promise<void> {
    let behind = position;
    while (!this.#over) {
      const { viewer } = this;
      const opened = await this.#openBehind(behind, viewer);
      if ('subscriber' in opened) {
        this.follow(opened.subscriber);
        if (viewer === this.viewer) break;
        // Roles were lost once more meanwhile.
        behind = opened.subscriber.reached;
        opened.subscriber.close();
      } else {
        const code = opened.refused.errors?.[0]?.extensions.code;
        if (code !== 'UNAVAILABLE') return this.end(code === 'POSITION_EXPIRED' ? 'expired' : 'revoked');
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
    this.#isReopening = false;
  }

  throw(): Promise<IteratorResult<never, undefined>> {
    return this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #finish(over: IteratorResult<never, undefined> | Error): void {
    this.#over ??= over;
    this.subscriber?.close();
    if (this.#client.streams.get(this.#id) === this) this.#client.streams.delete(this.#id);
    this.#client.subscribed();
    this.#tell?.();
  }
}

const done = { done: true, value: undefined } as const;

/** Authorises it anew, behind a position: for whom the stream takes its viewer for, and nobody with other roles. */
type OpenBehind = (position: number, viewer: Viewer) => Promise<Opened>;
