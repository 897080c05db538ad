import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import type { Authenticated } from '../auth/authenticate.ts';
import { Refusal, unauthenticated, unavailable } from '../errors.ts';
import { setAlarm } from '../lib/alarm.ts';
import type { Positions } from '../realtime/position.ts';
import type { Rendered } from '../realtime/renderings.ts';
import type { EndReason, Subscriber } from '../realtime/subscriber.ts';
import type { ClientAddressOf } from './address.ts';
import type { Closing } from './closing.ts';
import type { Connection, Connections } from './connections.ts';
import { chunk, corkForThisTurn } from './frame.ts';
import type { ViewerSink } from './groups.ts';
import { type Operations, type Parameters, type Present, toJson } from './operation.ts';
import { Progress } from './progress.ts';
import { endError, type OpenSubscription } from './subscription.ts';

/** A stream that has nothing to say says its position this often, which also keeps proxies from closing it. */
const positionMs = 15_000;
/** Who has taken nothing of what waits for them for so many of these times is gone. */
const mostStalls = 2;
/** How long clients are asked to wait before they come back from a node that drains, at most. */
const comeBackMs = 1_000;

/** An event stream that is asked for, after it is known who asks. */
export interface StreamRequest {
  readonly parameters: Parameters;
  readonly viewer: Authenticated;
  readonly lastEventId: string | undefined;
  /** A GET may not change anything. */
  readonly isReadOnly: boolean;
}

/**
 * GraphQL over Server-Sent Events, distinct connections mode: one response for one operation. Payloads that can
 * be resumed carry their position as `id`, so that a plain EventSource continues by itself.
 */
export function createEventStreams({
  operations,
  open,
  present,
  connections,
  positions,
  limits,
  clientAddressOf,
  isBlocked,
  written,
}: SseParts) {
  return async (response: ServerResponse, { parameters, viewer, lastEventId, isReadOnly }: StreamRequest) => {
    const id = randomUUID();
    const caller = { viewer, resume: lastEventId ? [lastEventId] : [], connectionId: id };
    const prepared = operations.prepare(parameters, caller);
    if (Array.isArray(prepared)) return answer(response, { errors: prepared });
    const { operation } = prepared.operation;
    if (operation === 'mutation' && isReadOnly) {
      return answer(response, {
        errors: [present(new Refusal('BAD_USER_INPUT', 'A mutation is sent by POST.'))],
      });
    }
    if (operation !== 'subscription') return answer(response, await operations.execute(prepared, caller));

    // From here on it is known as open: whatever ends its viewer's connections ends it, too.
    if (isBlocked(viewer.id)) return answer(response, { errors: [present(unauthenticated())] });
    const stream = new EventStream(id, response, viewer, {
      present,
      positions,
      limits,
      clientAddressOf,
      written,
    });
    if (response.destroyed) return;
    connections.add(stream);
    response.once('close', () => connections.remove(stream));
    const opened = await open(prepared, stream);
    if ('refused' in opened) {
      // A client comes back from a status, and not from a completion.
      const isAway = opened.refused.errors?.[0]?.extensions.code === 'UNAVAILABLE';
      if (isAway && !response.headersSent) return stream.refuse();
      return stream.finish(opened.refused);
    }
    stream.follow(opened.subscriber);
    if (!response.destroyed) connections.identified(stream);
  };
}

export function writeStreamHead(response: ServerResponse): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    // nginx would collect the events otherwise.
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
}

function answer(response: ServerResponse, result: ExecutionResult): void {
  if (response.destroyed) return;
  writeStreamHead(response);
  response.end(next(JSON.stringify(toJson(result))) + complete);
}

const blockOf = ({ payload, position }: Rendered) =>
  position === null ? next(payload) : `id: ${position}\n${next(payload)}`;
const next = (payload: string) => `event: next\ndata: ${payload}\n\n`;
const complete = 'event: complete\ndata: \n\n';

type StreamParts = Pick<SseParts, 'present' | 'positions' | 'limits' | 'clientAddressOf' | 'written'>;

/** What has been said to the end is given this long to be read. */
const farewellMs = 5_000;

class EventStream implements ViewerSink, Connection {
  readonly transport = 'sse';
  readonly id: string;
  readonly viewer: Authenticated;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  readonly #response: ServerResponse;
  readonly #parts: StreamParts;
  readonly #cancelExpiry: () => void;
  #subscriber: Subscriber | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** What came before the stream could be opened. */
  #held = '';
  #drained: (() => void)[] = [];
  readonly #progress = new Progress();
  #stalls = 0;

  constructor(id: string, response: ServerResponse, viewer: Authenticated, parts: StreamParts) {
    this.id = id;
    this.viewer = viewer;
    this.ipAddress = parts.clientAddressOf(response.req);
    this.userAgent = response.req.headers['user-agent'] ?? null;
    this.#response = response;
    this.#parts = parts;
    this.#cancelExpiry = setAlarm(viewer.expiresAt, () =>
      this.finish({ errors: [parts.present(unauthenticated('The token has expired.'))] }),
    );
    response.on('error', () => response.destroy());
    response.once('close', () => this.#close());
    if (response.destroyed) this.#close();
  }

  get userId(): string {
    return this.viewer.id;
  }

  /** Until the response is closed, which comes after it is destroyed: who waits for room waits for one of the two. */
  get isFull(): boolean {
    if (this.#response.closed) return false;
    return this.#response.writableLength + this.#held.length > this.#parts.limits.sendBufferBytes;
  }

  get #isOver(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  /** The first block is the position that it starts from; whatever came before it is known has waited. */
  follow(subscriber: Subscriber): void {
    this.#subscriber = subscriber;
    if (this.#isOver) subscriber.close();
    else this.#open(subscriber);
  }

  #open(subscriber: Subscriber): void {
    writeStreamHead(this.#response);
    const first = this.#position(subscriber.startedAt) + this.#held;
    this.#held = '';
    this.#response.write(first, this.#written);
    this.#timer = setInterval(() => this.#sayPosition(subscriber), positionMs);
  }

  #sayPosition(subscriber: Subscriber): void {
    if (this.#isOver) return;
    this.#stalls = this.#progress.since(this.#response.req.socket) === 'stalled' ? this.#stalls + 1 : 0;
    if (this.#stalls === mostStalls) this.#response.destroy();
    else if (!this.isFull) this.#response.write(this.#position(subscriber.reached));
  }

  write(rendered: Rendered): void {
    if (this.#isOver) return;
    this.#parts.written(this.transport);
    const { socket } = this.#response;
    if (!this.#subscriber) this.#held += blockOf(rendered);
    else if (!socket || !this.#response.chunkedEncoding)
      this.#response.write(blockOf(rendered), this.#written);
    else {
      corkForThisTurn(socket);
      rendered.bytes.sse ??= chunk(blockOf(rendered));
      socket.write(rendered.bytes.sse, this.#written);
    }
  }

  drained(): Promise<void> {
    if (!this.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  end(reason: EndReason | Closing, refusal?: Refusal): void {
    const error = typeof reason === 'string' ? endError(reason) : refusal;
    this.finish({ errors: [this.#parts.present(error)] });
  }

  /** Says a last thing and ends the stream for good. */
  finish(result: ExecutionResult): void {
    if (!this.#isOver) this.#finish(this.#held + next(JSON.stringify(toJson(result))) + complete);
    this.#close();
  }

  /** There is nothing to open: what is said instead is for the HTTP server to say. */
  refuse(): never {
    this.#close();
    throw unavailable();
  }

  /** Without `complete`, a client takes it for an interruption and comes back. */
  async drain(): Promise<void> {
    if (!this.#isOver) this.#finish(`retry: ${Math.ceil(Math.random() * comeBackMs)}\n\n`);
  }

  destroy(): void {
    this.#response.destroy();
  }

  #finish(text: string): void {
    if (!this.#response.headersSent) writeStreamHead(this.#response);
    this.#response.end(text);
    this.#close();
    const overdue = setTimeout(() => this.#response.destroy(), farewellMs);
    this.#response.once('close', () => clearTimeout(overdue));
  }

  #position(position: number): string {
    return `id: ${this.#parts.positions.seal(position)}\n\n`;
  }

  readonly #written = () => {
    if (this.#drained.length > 0 && !this.isFull) this.#release();
  };

  #release(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  #close(): void {
    clearInterval(this.#timer);
    this.#cancelExpiry();
    this.#subscriber?.close();
    this.#release();
  }
}

interface SseParts {
  readonly clientAddressOf: ClientAddressOf;
  readonly operations: Operations;
  readonly open: OpenSubscription;
  readonly present: Present;
  readonly connections: Connections;
  readonly positions: Positions;
  readonly limits: { readonly sendBufferBytes: number };
  isBlocked(userId: string): boolean;
  written(transport: string): void;
}
