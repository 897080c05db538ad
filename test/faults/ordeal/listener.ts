import { EventStreamClient } from '../../support/sse.ts';
import { type Frame, SocketClient, type Stream } from '../../support/websocket.ts';
import { type Dice, wait } from './dice.ts';
import type { Node, Site } from './site.ts';

/** What can be followed, and how its payload is told apart from others of the same subscription. */
export const followed = {
  general: {
    query: 'subscription F($after: Position) { channelMessage(channel: "general", after: $after) { body } }',
    read: (data: any): string => keyOf(data.channelMessage.body),
  },
  second: {
    query: 'subscription F($after: Position) { channelMessage(channel: "second", after: $after) { body } }',
    read: (data: any): string => keyOf(data.channelMessage.body),
  },
  events: {
    query: 'subscription F($after: Position) { eventReceived(after: $after) { type payload } }',
    read: (data: any): string => data.eventReceived.payload,
  },
};
export type Followed = keyof typeof followed;

const answerMs = 5_000;
/** What a subscription that is not accepted yet may be answered: come back later. */
const away = 'UNAVAILABLE';
/** Before it was let in a socket may be lost or sent away, an event stream may be refused. */
const passingCloses = new Set([1006, 1012, 1013]);
const passingStatuses = new Set([200, 503]);

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
  /** The last `id:` of an event stream, with a payload or alone: what an EventSource comes back with. */
  #lastId: string;
  #isOver = false;
  /** The connection that there is was cut by us. */
  #isCut = false;
  readonly #running: Promise<void>;
  readonly #options: ListenerOptions;

  constructor(options: ListenerOptions) {
    this.of = options.of;
    this.wire = options.wire;
    this.#position = this.#lastId = options.position;
    this.#options = options;
    this.#running = this.#run();
  }

  /** Loses the connection, as a network does. */
  cut(): void {
    this.#isCut = true;
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
      const node = site.pick(dice);
      this.node = node;
      this.#isCut = false;
      const { life } = node;
      const opened = await (this.wire === 'sse' ? this.#openStream(node) : this.#openSocket(node));
      if (opened && (await this.#hear(opened.stream))) {
        const how = await Promise.race([opened.ended, wait(answerMs).then(() => 'silence')]);
        const isTroubled = node.state !== 'up' || node.life !== life;
        const isMeant = this.#isCut || this.#isOver;
        if (!isMeant && (how !== 'loss' || !isTroubled)) {
          this.#blame(
            `${how} of a connection to ${node.name}, which was ${isTroubled ? 'troubled' : 'well'}`,
          );
        }
      }
      opened?.leave();
      this.#cut();
      this.resumes += 1;
      await wait(dice.between(20, 300));
    }
  }

  #blame(what: string): void {
    this.broken ??= what;
  }

  async #openSocket({ url }: Node): Promise<Opened | null> {
    const client = new SocketClient(`${url}/graphql`, { token: this.#options.token });
    this.#cut = () => client.cut();
    this.#pause = (forMs) => {
      client.socket.pause();
      setTimeout(() => client.socket.resume(), forMs);
    };
    const opened = await Promise.race([client.acknowledged, client.closed.then(() => null), wait(answerMs)]);
    if (!opened) {
      client.cut();
      const { code, reason } = await client.closed;
      if (!passingCloses.has(code)) this.#blame(`not let in: ${code} ${reason}`);
      return null;
    }
    const after = this.#position;
    const { query } = followed[this.of];
    // Both are ways to resume; the older position beside the newer one is what stock clients send.
    const stream = this.#options.dice.chance(0.5)
      ? client.run({ query, variables: { after } })
      : client.run({ query, variables: { after: this.#options.position }, extensions: { after } });
    const ended = client.closed.then(({ code, reason }) =>
      passingCloses.has(code) ? 'loss' : `closing with ${code} ${reason}`,
    );
    return { stream, ended, leave: () => {} };
  }

  async #openStream({ url }: Node): Promise<Opened | null> {
    const { query } = followed[this.of];
    const byHeader = this.#options.dice.chance(0.5);
    const client = new EventStreamClient(
      `${url}/graphql`,
      this.#options.token,
      byHeader ? { query } : { query, variables: { after: this.#position } },
      byHeader ? { 'last-event-id': this.#lastId } : {},
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
    if (!response) return null;
    if (!passingStatuses.has(response.statusCode!)) this.#blame(`refused with ${response.statusCode}`);
    if (response.statusCode !== 200) return null;
    const ended = client.ended.then((how) => (how === 'cut' ? 'loss' : how));
    const leave = () => {
      this.#lastId = client.blocks.findLast(({ id }) => id)?.id ?? this.#lastId;
    };
    return { stream: client.stream, ended, leave };
  }

  /** True when the connection was lost, false when the subscription was ended in words. */
  async #hear(stream: Stream): Promise<boolean> {
    let count = 0;
    for (let frame = await stream.frame(); frame; frame = await stream.frame()) {
      if (!this.#take(frame, count++ > 0)) return false;
    }
    return true;
  }

  /** False when this subscription is over. */
  #take(frame: Frame, isAccepted: boolean): boolean {
    if (frame.type === 'complete') this.#blame('completed without a reason');
    if (frame.type === 'complete') return false;
    const errors = frame.type === 'error' ? frame.payload : frame.payload.errors;
    if (errors) {
      const isPassing = errors[0]!.extensions?.code === away && !isAccepted;
      if (!isPassing) this.#blame(JSON.stringify(errors));
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

interface Opened {
  readonly stream: Stream;
  /** How the connection ended. */
  readonly ended: Promise<string>;
  /** Called when no more is heard of it. */
  leave(): void;
}

/** Long bodies say how long they are: a part of one would be told by nobody. */
function keyOf(body: string): string {
  const [key, length] = body.split(' ');
  return !length || body.length === Number(length) ? key! : `${key} cut to ${body.length} of ${length}`;
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
