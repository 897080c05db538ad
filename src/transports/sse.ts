import type { ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import type { Authenticated } from '../auth/authenticate.ts';
import { Refusal, unauthenticated } from '../errors.ts';
import { setAlarm } from '../lib/alarm.ts';
import type { Rendered } from '../realtime/group.ts';
import type { Positions } from '../realtime/position.ts';
import type { EndReason, Sink, Subscriber } from '../realtime/subscriber.ts';
import type { Connection, Connections } from './connections.ts';
import { type Operations, type Parameters, type Present, toJson } from './operation.ts';
import { endError, type OpenSubscription } from './subscription.ts';

/** A stream that has nothing to say says its position this often, which also keeps proxies from closing it. */
const positionMs = 15_000;
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
  written,
}: SseParts) {
  return async (response: ServerResponse, { parameters, viewer, lastEventId, isReadOnly }: StreamRequest) => {
    const caller = { viewer, resume: lastEventId ? [lastEventId] : [] };
    const prepared = operations.prepare(parameters, caller);
    if (Array.isArray(prepared)) return answer(response, { errors: prepared });
    const { operation } = prepared.operation;
    if (operation === 'mutation' && isReadOnly) {
      return answer(response, {
        errors: [present(new Refusal('BAD_USER_INPUT', 'A mutation is sent by POST.'))],
      });
    }
    if (operation !== 'subscription') return answer(response, await operations.execute(prepared, caller));

    const stream = new EventStream(response, viewer, { present, positions, limits, written });
    const opened = await open(prepared, viewer, stream);
    if ('refused' in opened) return stream.finish(opened.refused);
    stream.follow(opened.subscriber);
    connections.add(stream);
    response.once('close', () => connections.remove(stream));
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

const next = (payload: string) => `event: next\ndata: ${payload}\n\n`;
const complete = 'event: complete\ndata: \n\n';

type StreamParts = Pick<SseParts, 'present' | 'positions' | 'limits' | 'written'>;

class EventStream implements Sink, Connection {
  readonly transport = 'sse';
  readonly #response: ServerResponse;
  readonly #parts: StreamParts;
  readonly #cancelExpiry: () => void;
  #subscriber: Subscriber | undefined;
  #timer: NodeJS.Timeout | undefined;
  #held = '';

  constructor(response: ServerResponse, viewer: Authenticated, parts: StreamParts) {
    this.#response = response;
    this.#parts = parts;
    this.#cancelExpiry = setAlarm(viewer.expiresAt, () =>
      this.finish({ errors: [parts.present(unauthenticated('The token has expired.'))] }),
    );
    response.once('close', () => this.#close());
  }

  get isFull(): boolean {
    return this.#response.writableLength > this.#parts.limits.sendBufferBytes;
  }

  /** The first block is the position that it starts from; whatever came before it is known has waited. */
  follow(subscriber: Subscriber): void {
    this.#subscriber = subscriber;
    if (this.#response.destroyed) this.#close();
    if (this.#response.destroyed || this.#response.headersSent) return;
    writeStreamHead(this.#response);
    this.#response.write(this.#position(subscriber.startedAt) + this.#held);
    this.#held = '';
    this.#timer = setInterval(() => {
      if (!this.isFull) this.#response.write(this.#position(subscriber.reached));
    }, positionMs);
  }

  write({ payload, position }: Rendered): void {
    const block = `id: ${position}\n${next(payload)}`;
    this.#parts.written(this.transport);
    if (this.#subscriber) this.#response.write(block);
    else this.#held += block;
  }

  drained(): Promise<void> {
    if (this.#response.destroyed || !this.isFull) return Promise.resolve();
    return new Promise((resolve) => {
      const response = this.#response;
      response.once('drain', go).once('close', go);
      function go() {
        response.off('drain', go).off('close', go);
        resolve();
      }
    });
  }

  end(reason: EndReason): void {
    this.finish({ errors: [this.#parts.present(endError(reason))] });
  }

  /** Says a last thing and ends the stream for good. */
  finish(result: ExecutionResult): void {
    if (this.#response.writableEnded || this.#response.destroyed) return;
    if (!this.#response.headersSent) writeStreamHead(this.#response);
    this.#response.end(this.#held + next(JSON.stringify(toJson(result))) + complete);
    this.#close();
  }

  async drain(): Promise<void> {
    // Without `complete`, a client takes it for an interruption and comes back.
    this.#response.end(`retry: ${Math.ceil(Math.random() * comeBackMs)}\n\n`);
    this.#close();
  }

  destroy(): void {
    this.#response.destroy();
  }

  #position(position: number): string {
    return `id: ${this.#parts.positions.seal(position)}\n\n`;
  }

  #close(): void {
    clearInterval(this.#timer);
    this.#cancelExpiry();
    this.#subscriber?.close();
  }
}

interface SseParts {
  readonly operations: Operations;
  readonly open: OpenSubscription;
  readonly present: Present;
  readonly connections: Connections;
  readonly positions: Positions;
  readonly limits: { readonly sendBufferBytes: number };
  written(transport: string): void;
}
