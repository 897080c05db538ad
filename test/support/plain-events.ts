import { get, type IncomingMessage } from 'node:http';
import type { Role } from '../../src/domain/viewer.ts';
import type { TestServer } from './server.ts';
import { type Block, parse } from './sse.ts';

/** One event of a plain stream, its data parsed. */
export interface PlainEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: any;
}

/** A client of `GET /realtime/events` that misses nothing: what arrives before it is asked for waits. */
export class PlainEvents {
  readonly response: Promise<IncomingMessage>;
  /** The text of an answer that is no stream. */
  readonly refusal: Promise<string>;
  /** Resolves with the last block that has no event, for one that is drained. */
  readonly ended: Promise<Block | undefined>;
  /** What a browser would come back with. */
  lastEventId: string | undefined;
  readonly #request: ReturnType<typeof get>;
  #events: PlainEvent[] = [];
  #waiting: ((event: PlainEvent | null) => void)[] = [];
  #isOver = false;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.#request = get(url, { agent: false, headers: { accept: 'text/event-stream', ...headers } });
    this.response = new Promise((resolve, reject) => {
      this.#request.once('response', resolve);
      this.#request.on('error', reject);
    });
    this.response.catch(() => {});
    let text = '';
    let last: Block | undefined;
    this.ended = this.response
      .then(async (response) => {
        response.setEncoding('utf8');
        const isStream = response.headers['content-type']?.startsWith('text/event-stream');
        for await (const chunk of response) {
          text += chunk;
          for (let end = text.indexOf('\n\n'); isStream && end >= 0; end = text.indexOf('\n\n')) {
            last = parse(text.slice(0, end));
            this.#read(last);
            text = text.slice(end + 2);
          }
        }
      })
      .catch(() => {})
      .then(() => {
        this.#isOver = true;
        for (const resolve of this.#waiting.splice(0)) resolve(null);
        return last;
      });
    this.refusal = this.ended.then(() => text);
  }

  /** The next event, null once the stream has ended. */
  event(): Promise<PlainEvent | null> {
    const event = this.#events.shift();
    if (event) return Promise.resolve(event);
    if (this.#isOver) return Promise.resolve(null);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next event; fails when there is none. */
  async next(): Promise<PlainEvent> {
    const event = await this.event();
    if (!event) throw new Error('The stream has ended.');
    return event;
  }

  /** So many events, each as its type and what of its data is asked for. */
  async take(count: number): Promise<PlainEvent[]> {
    const events: PlainEvent[] = [];
    while (events.length < count) events.push(await this.next());
    return events;
  }

  /** Drops the connection without a word. */
  cut(): void {
    this.#request.destroy();
  }

  #read({ id, event, data }: Block): void {
    if (id !== undefined) this.lastEventId = id;
    if (event === undefined) return;
    const read = { event, id, data: JSON.parse(data!) };
    const waiting = this.#waiting.shift();
    if (waiting) waiting(read);
    else this.#events.push(read);
  }
}

/** A stream that is being opened: `query` as in the address, with its `?`. */
export async function plainEvents(
  server: TestServer,
  user: string,
  query = '',
  { roles = [], headers = {} }: { roles?: readonly Role[]; headers?: Record<string, string> } = {},
): Promise<PlainEvents> {
  const authorization = `Bearer ${await server.token(user, roles)}`;
  return new PlainEvents(`${server.url}/realtime/events${query}`, { authorization, ...headers });
}

/** The same once it is connected. */
export async function connectedEvents(...request: Parameters<typeof plainEvents>): Promise<PlainEvents> {
  const stream = await plainEvents(...request);
  const { event } = await stream.next();
  if (event !== 'connected') throw new Error(`expected "connected", got "${event}"`);
  return stream;
}

/** What a plain client holds that comes back, as a browser does, whenever its stream ends. */
export class PlainFollower {
  readonly heard: PlainEvent[] = [];
  readonly #open: () => Promise<PlainEvents>;
  #stream: PlainEvents | undefined;
  #lastEventId: string | undefined;
  #isOver = false;
  readonly #following: Promise<void>;

  /** `open` a stream behind an id. */
  constructor(open: (lastEventId: string | undefined) => Promise<PlainEvents>) {
    this.#open = () => open(this.#lastEventId);
    this.#following = this.#comeBackAgainAndAgain();
  }

  cut(): void {
    this.#stream?.cut();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.cut();
    await this.#following;
  }

  async #comeBackAgainAndAgain(): Promise<void> {
    while (!this.#isOver) {
      const stream = await this.#open();
      this.#stream = stream;
      for (let event = await stream.event(); event; event = await stream.event()) {
        // What was on its way when the connection was cut has not been heard.
        if (event.id) this.#lastEventId = event.id;
        if (event.event !== 'connected' && event.event !== 'ping') this.heard.push(event);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
