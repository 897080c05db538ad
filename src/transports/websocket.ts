import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import { handleProtocols, makeServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Authenticate, Authenticated } from '../auth/authenticate.ts';
import { Refusal, tooLarge } from '../errors.ts';
import { setAlarm } from '../lib/alarm.ts';
import type { Log } from '../observability/log.ts';
import type { Rendered } from '../realtime/group.ts';
import type { Hub } from '../realtime/hub.ts';
import type { Positions } from '../realtime/position.ts';
import type { EndReason, Sink, Subscriber } from '../realtime/subscriber.ts';
import { Closing } from './closing.ts';
import type { Connection, Connections } from './connections.ts';
import { type Operations, type Prepared, type Present, toJson } from './operation.ts';
import { endError, type OpenSubscription } from './subscription.ts';

/** A ping is sent this often, and who has not answered by the next one is gone. */
const keepAliveMs = 12_000;
const initWaitMs = 10_000;
/** How long a client may take to answer the closing of its socket. */
const closeMs = 5_000;

/** GraphQL over WebSocket: graphql-ws speaks the protocol, this file carries it and writes payloads past it. */
export function createWebSockets(parts: WebSocketParts) {
  const { operations, open, present, connections, limits, log } = parts;
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols,
    maxPayload: limits.messageBytes,
    perMessageDeflate: false,
    // The types of ws do not know it yet.
    ...({ closeTimeout: closeMs } as object),
  });

  const protocol = makeServer<ConnectionParameters, { client: Client }>({
    connectionInitWaitTimeout: initWaitMs,

    onConnect: async ({ connectionParams, extra: { client } }) => {
      const viewer = await authenticate(tokenOf(connectionParams) ?? client.urlToken);
      if (viewer === null) return false;
      client.signIn(viewer);
      return { connectionId: client.id, position: parts.positions.seal(parts.hub.watermark) };
    },

    onSubscribe: async ({ extra: { client } }, id, payload) => {
      const caller = { viewer: client.viewer, resume: [] };
      const prepared = operations.prepare(payload, caller);
      if (Array.isArray(prepared)) return prepared;
      if (prepared.operation.operation === 'subscription') {
        const most = limits.subscriptionsPerConnection;
        if (client.subscriptions.size >= most) {
          return [present(tooLarge(`A connection has at most ${most} subscriptions.`))];
        }
        client.subscriptions.add(id);
        // What follows on this socket waits for it to be attached.
        return { ...argsOf(prepared), client, id, attached: client.expectAttached() };
      }
      await client.attached;
      return { ...argsOf(prepared), client };
    },

    execute: async (args) => {
      const { prepared, client } = args as Arguments;
      return client.answering(operations.execute(prepared, { viewer: client.viewer, resume: [] }));
    },

    subscribe: async (args) => {
      const { prepared, client, id, attached } = args as Arguments;
      const stream = new ClientStream(client, id!);
      try {
        const opened = await open(prepared, client.viewer, stream);
        if ('refused' in opened) return opened.refused;
        stream.subscriber = opened.subscriber;
        return stream;
      } finally {
        attached!();
      }
    },

    onComplete: ({ extra: { client } }, id) => {
      client.subscriptions.delete(id);
    },
    onNext: (_context, _id, _payload, _args, result) => toJson(result) as ExecutionResult,
    onError: (_context, _id, _payload, errors) =>
      toJson({ errors: errors.map(present) }).errors as readonly GraphQLError[],
  });

  /** Null: not let in. */
  async function authenticate(token: string | null): Promise<Authenticated | null> {
    if (token === null) return null;
    try {
      return await parts.authenticate(token);
    } catch (error) {
      present(error);
      if (!(error instanceof Refusal)) log.warn({ err: error }, 'a token could not be checked');
      return null;
    }
  }

  sockets.on('connection', (socket: WebSocket, request: IncomingMessage) => {
    const client = new Client(socket, request, parts);
    const closed = protocol.opened(client, { client });
    connections.add(client);
    socket.on('error', (error) => log.debug({ err: error }, 'socket error'));
    socket.once('close', (code, reason) => {
      connections.remove(client);
      client.closed();
      closed(code, String(reason)).catch((error) => log.error({ err: error }, 'closing a socket failed'));
    });
  });

  return {
    upgrade(request: IncomingMessage, duplex: Duplex, head: Buffer): void {
      sockets.handleUpgrade(request, duplex, head, (socket) => sockets.emit('connection', socket, request));
    },
  };
}

interface ConnectionParameters extends Record<string, unknown> {}

/** The token of `connection_init`. GraphiQL sends its headers there, whatever their case. */
function tokenOf(parameters: Readonly<Record<string, unknown>> | undefined): string | null {
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (typeof value !== 'string') continue;
    if (name === 'token') return value;
    if (name.toLowerCase() === 'authorization') return /^Bearer +(\S+)$/i.exec(value)?.[1] ?? value;
  }
  return null;
}

interface Arguments extends ExecutionArgs {
  readonly prepared: Prepared;
  readonly client: Client;
  readonly id?: string;
  readonly attached?: () => void;
}

/** graphql-ws hands them through to `execute` and `subscribe`; it looks at the document alone. */
function argsOf(prepared: Prepared) {
  const operationName = prepared.operation.name?.value;
  return {
    schema: undefined as never,
    document: prepared.document,
    operationName,
    rootValue: null,
    contextValue: null,
    prepared,
  };
}

/** One socket. */
class Client implements Connection {
  readonly transport = 'websocket';
  readonly id = randomUUID();
  readonly urlToken: string | null;
  readonly protocol: string;
  viewer: Authenticated | null = null;
  /** The ids of those that are running. */
  readonly subscriptions = new Set<string>();
  /** Resolves when every subscription that was asked for so far is attached. */
  attached: Promise<unknown> = Promise.resolve();
  readonly #socket: WebSocket;
  readonly #parts: WebSocketParts;
  readonly #keepAlive: NodeJS.Timeout;
  #isAlive = true;
  #cancelExpiry: (() => void) | undefined;
  #answering = new Set<Promise<unknown>>();
  #drained: (() => void)[] = [];

  constructor(socket: WebSocket, request: IncomingMessage, parts: WebSocketParts) {
    this.#socket = socket;
    this.#parts = parts;
    this.protocol = socket.protocol;
    this.urlToken = new URL(request.url ?? '/', 'http://localhost').searchParams.get('token');
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    this.#keepAlive = setInterval(() => this.#ping(), keepAliveMs);
  }

  get isFull(): boolean {
    return this.#socket.bufferedAmount > this.#parts.limits.sendBufferBytes;
  }

  signIn(viewer: Authenticated): void {
    this.viewer = viewer;
    this.#cancelExpiry?.();
    this.#cancelExpiry = setAlarm(viewer.expiresAt, () => this.#close(Closing.TokenExpired));
  }

  /** Of the protocol. */
  send(text: string): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) return Promise.resolve();
    return new Promise((resolve) => this.#socket.send(text, () => resolve()));
  }

  /** Of the protocol. */
  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  /** Of the protocol. */
  onMessage(tell: (text: string) => Promise<void>): void {
    this.#socket.on('message', (data) => {
      tell(String(data)).catch((error) => {
        this.#parts.log.error({ err: error }, 'a message could not be handled');
        this.#close(Closing.Internal);
      });
    });
  }

  /** One frame, without waiting; `isFull` tells when to stop. */
  write(frame: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(frame, this.#written);
    this.#parts.written(this.transport);
  }

  drained(): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN || !this.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** The answer says that it is attached, or never will be. */
  expectAttached(): () => void {
    let done = () => {};
    const attached = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.attached = Promise.all([this.attached, attached]);
    return done;
  }

  answering<Result>(answer: Promise<Result>): Promise<Result> {
    this.#answering.add(answer);
    return answer.finally(() => this.#answering.delete(answer));
  }

  async drain(): Promise<void> {
    await Promise.all(this.#answering);
    // What was answered goes out before the closing frame.
    await new Promise((resolve) => setImmediate(resolve));
    this.#close(Closing.Draining);
  }

  destroy(): void {
    this.#socket.terminate();
  }

  closed(): void {
    clearInterval(this.#keepAlive);
    this.#cancelExpiry?.();
    this.#release();
  }

  readonly #written = () => {
    if (this.#drained.length > 0 && this.#socket.bufferedAmount <= this.#parts.limits.sendBufferBytes / 2) {
      this.#release();
    }
  };

  #release(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  #ping(): void {
    if (this.#isAlive) this.#socket.ping();
    else this.#socket.terminate();
    this.#isAlive = false;
  }

  #close({ code, reason }: Closing): void {
    this.#socket.close(code, reason);
  }
}

/**
 * One subscription of one socket. Payloads are written straight to the socket; as an iterable, which is how
 * graphql-ws knows it, it yields nothing and tells when it is over.
 */
class ClientStream implements Sink, AsyncGenerator<never, undefined> {
  subscriber: Subscriber | undefined;
  readonly #client: Client;
  readonly #head: string;
  #over: IteratorResult<never, undefined> | Error | undefined;
  #tell: (() => void) | undefined;

  constructor(client: Client, id: string) {
    this.#client = client;
    this.#head = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  }

  get isFull(): boolean {
    return this.#client.isFull;
  }

  write({ payload }: Rendered): void {
    this.#client.write(`${this.#head}${payload}}`);
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
    this.subscriber?.close();
    this.#finish(done);
    return done;
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
    this.#tell?.();
  }
}

const done = { done: true, value: undefined } as const;

interface WebSocketParts {
  readonly authenticate: Authenticate;
  readonly operations: Operations;
  readonly open: OpenSubscription;
  readonly present: Present;
  readonly connections: Connections;
  readonly hub: Hub;
  readonly positions: Positions;
  readonly log: Log;
  readonly limits: {
    readonly subscriptionsPerConnection: number;
    readonly messageBytes: number;
    readonly sendBufferBytes: number;
  };
  /** A payload has been written. */
  written(transport: string): void;
}
