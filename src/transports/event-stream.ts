import type { ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import type { Authenticated } from '../auth/authenticate.ts';
import { type Refusal, tooManyConnections, unauthenticated } from '../errors.ts';
import { setAlarm } from '../lib/alarm.ts';
import type { Guard } from '../limits/guard.ts';
import type { Positions } from '../realtime/position.ts';
import type { Rendered } from '../realtime/renderings.ts';
import type { EndReason, Subscriber } from '../realtime/subscriber.ts';
import type { ClientAddressOf } from './address.ts';
import { HttpRefusal } from './body.ts';
import { Closing } from './closing.ts';
import type { Connection, Connections } from './connections.ts';
import { chunk, corkForThisTurn } from './frame.ts';
import type { ViewerSink } from './groups.ts';
import type { Present } from './operation.ts';
import { Progress } from './progress.ts';
import { endError } from './subscription.ts';

/** A stream that has nothing to say says its position this often, which also keeps proxies from closing it. */
const beatMs = 15_000;
/** Who has taken nothing of what waits for them for so many of these times is gone. */
const mostStalls = 2;
/** How long clients are asked to wait before they come back from a node that drains, at most. */
const comeBackMs = 1_000;
/** What has been said to the end is given this long to be read. */
const farewellMs = 5_000;

/** How a stream speaks to its clients, in whole blocks. */
export interface Dialect {
  /** The first block, with the position that the stream begins at. */
  opening(position: string): string;
  /** Said every 15 seconds, with the position up to which everything has been told. */
  beat(position: string): string;
  event(rendered: Rendered): string;
  /** The last block, where the server ends the stream for good. */
  farewell(error: GraphQLError): string;
}

export type LetIn = ReturnType<typeof createLetIn>;

/**
 * Makes a stream that is known as open, though it says nothing yet: whatever ends its viewer's connections ends
 * it, too. What is thrown is for the HTTP server to answer.
 * @throws RATE_LIMITED, LIMIT_EXCEEDED for one too many, UNAUTHENTICATED for who has been blocked meanwhile
 */
export function createLetIn({ guard, isBlocked, ...parts }: LetInParts) {
  const { connections } = parts;
  return async (id: string, response: ServerResponse, viewer: Authenticated, dialect: Dialect) => {
    await guard.connecting(parts.clientAddressOf(response.req));
    // Behind another answer on its connection, it would not be told that the client has left.
    if (!response.socket && !response.destroyed) {
      await new Promise((resolve) => response.once('socket', resolve));
    }
    const tooMany = () => stream?.end(Closing.TooManyConnections, tooManyConnections());
    let stream: EventStream | undefined;
    const leave = await guard.entering(viewer, { id, tooMany });
    if (leave === null) throw new HttpRefusal(429, 'LIMIT_EXCEEDED', tooManyConnections().message);
    if (response.destroyed) leave();
    else response.once('close', leave);
    if (isBlocked(viewer.id)) throw unauthenticated('This user is blocked.');
    stream = new EventStream(id, response, viewer, dialect, parts);
    if (response.destroyed) return stream;
    connections.add(stream);
    connections.identified(stream);
    response.once('close', () => connections.remove(stream, response.writableEnded ? 'ended' : 'left'));
    return stream;
  };
}

export function writeStreamHead(response: ServerResponse): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-store, no-transform',
    // nginx would collect the events otherwise.
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
}

/** One response of Server-Sent Events, which a subscriber is written to. */
export class EventStream implements ViewerSink, Connection {
  readonly transport = 'sse';
  readonly id: string;
  readonly viewer: Authenticated;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  readonly #response: ServerResponse;
  readonly #dialect: Dialect;
  readonly #parts: StreamParts;
  readonly #cancelExpiry: () => void;
  #subscriber: Subscriber | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** What came before the stream could be opened. */
  #held = '';
  #drained: (() => void)[] = [];
  readonly #progress = new Progress();
  #stalls = 0;

  constructor(
    id: string,
    response: ServerResponse,
    viewer: Authenticated,
    dialect: Dialect,
    parts: StreamParts,
  ) {
    this.id = id;
    this.viewer = viewer;
    this.ipAddress = parts.clientAddressOf(response.req);
    this.userAgent = response.req.headers['user-agent'] ?? null;
    this.#response = response;
    this.#dialect = dialect;
    this.#parts = parts;
    this.#cancelExpiry = setAlarm(viewer.expiresAt, () =>
      this.endWith(unauthenticated('The token has expired.')),
    );
    response.on('error', () => response.destroy());
    response.once('close', () => this.close());
    if (response.destroyed) this.close();
  }

  get userId(): string {
    return this.viewer.id;
  }

  get channels(): readonly string[] {
    return this.#subscriber?.source.about ?? [];
  }

  get subscriptionCount(): number {
    return this.#subscriber ? 1 : 0;
  }

  get isSilent(): boolean {
    return this.#stalls > 0;
  }

  /** Until the response is closed, which comes after it is destroyed: who waits for room waits for one of the two. */
  get isFull(): boolean {
    if (this.#response.closed) return false;
    return this.#response.writableLength + this.#held.length > this.#parts.limits.sendBufferBytes;
  }

  get isOver(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  /** From here on it is this subscriber that writes. Whatever came before the opening has waited for it. */
  follow(subscriber: Subscriber): void {
    const isFirst = this.#subscriber === undefined;
    this.#subscriber = subscriber;
    if (this.isOver) subscriber.close();
    else if (isFirst) this.#open(subscriber);
    this.#parts.connections.subscribed(this);
  }

  #open(subscriber: Subscriber): void {
    writeStreamHead(this.#response);
    const first = this.#dialect.opening(this.#parts.positions.seal(subscriber.startedAt)) + this.#held;
    this.#held = '';
    this.#response.write(first, this.#written);
    this.#timer = setInterval(() => this.#beat(), beatMs);
  }

  #beat(): void {
    if (this.isOver) return;
    this.#stalls = this.#progress.since(this.#response.req.socket) === 'stalled' ? this.#stalls + 1 : 0;
    if (this.#stalls === mostStalls) this.#response.destroy();
    else if (!this.isFull) {
      this.#response.write(this.#dialect.beat(this.#parts.positions.seal(this.#subscriber!.reached)));
    }
  }

  write(rendered: Rendered): void {
    if (this.isOver) return;
    this.#parts.written(this.transport);
    const { socket } = this.#response;
    if (!this.#subscriber) this.#held += this.#dialect.event(rendered);
    else if (!socket || !this.#response.chunkedEncoding)
      this.#response.write(this.#dialect.event(rendered), this.#written);
    else {
      corkForThisTurn(socket);
      rendered.bytes.sse ??= chunk(this.#dialect.event(rendered));
      socket.write(rendered.bytes.sse, this.#written);
    }
  }

  /** Says something that is for this client alone. */
  say(blocks: string): void {
    if (!this.#subscriber) this.#held += blocks;
    else if (!this.isOver) this.#response.write(blocks, this.#written);
  }

  drained(): Promise<void> {
    if (!this.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  end(reason: EndReason | Closing, refusal?: Refusal): void {
    this.endWith(typeof reason === 'string' ? endError(reason) : refusal);
  }

  /** Says why, and ends the stream for good. */
  endWith(error: unknown): void {
    // While what was said last is being read there may be reason to end it once more.
    if (!this.isOver) this.finish(this.#dialect.farewell(this.#parts.present(error)));
  }

  /** Says a last thing and ends the stream for good. */
  finish(blocks: string): void {
    if (!this.isOver) this.#finish(this.#held + blocks);
    this.close();
  }

  /** Without a farewell, a client takes it for an interruption and comes back. */
  async drain(): Promise<void> {
    if (!this.isOver) this.#finish(`retry: ${Math.ceil(Math.random() * comeBackMs)}\n\n`);
  }

  destroy(): void {
    this.#response.destroy();
  }

  /** Lets go of everything but the response. */
  close(): void {
    clearInterval(this.#timer);
    this.#cancelExpiry();
    this.#subscriber?.close();
    this.#release();
  }

  #finish(text: string): void {
    if (!this.#response.headersSent) writeStreamHead(this.#response);
    this.#response.end(text);
    this.close();
    const overdue = setTimeout(() => this.#response.destroy(), farewellMs);
    this.#response.once('close', () => clearTimeout(overdue));
  }

  readonly #written = () => {
    if (this.#drained.length > 0 && !this.isFull) this.#release();
  };

  #release(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

interface StreamParts {
  readonly connections: Connections;
  readonly clientAddressOf: ClientAddressOf;
  readonly present: Present;
  readonly positions: Positions;
  readonly limits: { readonly sendBufferBytes: number };
  written(transport: string): void;
}

interface LetInParts extends StreamParts {
  readonly guard: Guard;
  isBlocked(userId: string): boolean;
}
