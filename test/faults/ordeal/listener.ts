import { EventStreamClient } from '../../support/sse.ts';
import { type Frame, SocketClient, type Stream } from '../../support/websocket.ts';
import { type Dice, wait } from './dice.ts';
import type { Node, Site } from './site.ts';

/** What can be followed, and how its payload is told apart from others of the same subscription. */
export const followed = {
  general: {
    query: 'subscription F($after: Position) { channelMessage(channel: "general", after: $after) { body } }',
    read: (data: any): string => data.channelMessage.body,
  },
  second: {
    query: 'subscription F($after: Position) { channelMessage(channel: "second", after: $after) { body } }',
    read: (data: any): string => data.channelMessage.body,
  },
  events: {
    query: 'subscription F($after: Position) { eventReceived(after: $after) { type payload } }',
    read: (data: any): string => data.eventReceived.payload,
  },
};
export type Followed = keyof typeof followed;

const answerMs = 5_000;
/** Codes that say: come back later. Anything else is a broken promise. */
const passing = new Set(['UNAVAILABLE']);

/** One client that follows, loses its connection, and resumes behind the last payload that it has. */
export class Listener {
  readonly of: Followed;
  readonly wire: 'websocket' | 'sse';
  readonly heard: string[] = [];
  /** What it was told and should not have been. */
  broken: string | null = null;
  resumes = 0;
  node: Node | null = null;
  /** When it last heard anything, and how long it once did not. */
  heardAt = performance.now();
  longestSilenceMs = 0;
  #cut: () => void = () => {};
  #pause: (forMs: number) => void = () => {};
  #position: string;
  #isOver = false;
  readonly #running: Promise<void>;
  readonly #options: ListenerOptions;

  constructor(options: ListenerOptions) {
    this.of = options.of;
    this.wire = options.wire;
    this.#position = options.position;
    this.#options = options;
    this.#running = this.#run();
  }

  /** Loses the connection, as a network does. */
  cut(): void {
    this.#cut();
  }

  /** Does not read for a while. */
  pause(forMs: number): void {
    this.#pause(forMs);
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.#cut();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { dice, site } = this.#options;
    while (!this.#isOver) {
      this.node = site.pick(dice);
      const stream = await (this.wire === 'sse' ? this.#openStream(this.node) : this.#openSocket(this.node));
      if (stream) await this.#hear(stream);
      this.#cut();
      this.resumes += 1;
      await wait(dice.between(20, 300));
    }
  }

  async #openSocket({ url }: Node): Promise<Stream | null> {
    const client = new SocketClient(`${url}/graphql`, { token: this.#options.token });
    this.#cut = () => client.cut();
    this.#pause = (forMs) => {
      client.socket.pause();
      setTimeout(() => client.socket.resume(), forMs);
    };
    const opened = await Promise.race([client.acknowledged, client.closed.then(() => null), wait(answerMs)]);
    if (!opened) return null;
    const after = this.#position;
    const { query } = followed[this.of];
    // Both are ways to resume; the older position beside the newer one is what stock clients send.
    return this.#options.dice.chance(0.5)
      ? client.run({ query, variables: { after } })
      : client.run({ query, variables: { after: this.#options.position }, extensions: { after } });
  }

  async #openStream({ url }: Node): Promise<Stream | null> {
    const { query } = followed[this.of];
    const byHeader = this.#options.dice.chance(0.5);
    const client = new EventStreamClient(
      `${url}/graphql`,
      this.#options.token,
      byHeader ? { query } : { query, variables: { after: this.#position } },
      byHeader ? { 'last-event-id': this.#position } : {},
    );
    this.#cut = () => client.cut();
    this.#pause = (forMs) => {
      client.response.then(
        (response) => {
          response.pause();
          setTimeout(() => response.resume(), forMs);
        },
        () => {},
      );
    };
    const response = await Promise.race([client.response.catch(() => null), wait(answerMs)]);
    return response?.statusCode === 200 ? client.stream : null;
  }

  async #hear(stream: Stream): Promise<void> {
    for (let frame = await stream.frame(); frame; frame = await stream.frame()) {
      if (!this.#take(frame)) return;
    }
  }

  /** False when this subscription is over. */
  #take(frame: Frame): boolean {
    if (frame.type === 'complete') return false;
    const errors = frame.type === 'error' ? frame.payload : frame.payload.errors;
    if (errors) {
      const code = errors[0]!.extensions?.code;
      if (!passing.has(code)) this.broken ??= JSON.stringify(errors);
      return false;
    }
    const { data, extensions } = (frame as Extract<Frame, { type: 'next' }>).payload;
    this.heard.push(followed[this.of].read(data));
    this.#position = extensions!.position;
    const now = performance.now();
    this.longestSilenceMs = Math.max(this.longestSilenceMs, now - this.heardAt);
    this.heardAt = now;
    return true;
  }
}

interface ListenerOptions {
  readonly site: Site;
  readonly dice: Dice;
  readonly of: Followed;
  readonly wire: 'websocket' | 'sse';
  readonly token: string;
  /** Where everybody begins. */
  readonly position: string;
}
