import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { GraphQLFormattedError } from 'graphql';
import type { OperationError } from './errors.ts';

export type RealtimeTransport = 'ws' | 'sse';

export interface RealtimeClientOptions {
  /** Of the endpoint, `https://host/graphql`; the address of the WebSocket is made from it. */
  readonly url: string;
  /** Asked anew whenever one is needed: for each connection, each request over HTTP, and before one expires. */
  readonly token?: string | null | (() => string | null | Promise<string | null>);
  /**
   * `auto` uses a WebSocket, and Server-Sent Events for as long as none can be opened: that is tried at once, and each
   * minute.
   *
   * @default 'auto'
   */
  readonly transport?: RealtimeTransport | 'auto';
  /**
   * The tabs of one origin whose tokens have the same subject and the same roles have one connection. Where the
   * browser has no Web Locks, as on pages without TLS, and with tokens that say no subject, each has its own.
   *
   * @default false
   */
  readonly share?: boolean;
  /**
   * Where positions of subscriptions with a `key`, and what is queued, are kept across page loads. Without it, in
   * memory. Each user needs one of their own: what one has queued would be sent as another.
   */
  readonly storage?: PositionStorage;
  /** A subscription could not be continued: fetch its state anew. */
  readonly onResync?: (what: Resync) => void;
  /** What an earlier page had queued was refused: nobody waits for its answer any more. */
  readonly onRefused?: (what: Refused) => void;
  /**
   * How long to wait before coming back, in milliseconds: from `firstMs`, doubling up to `longestMs`, each time
   * between half of it and the whole.
   *
   * @default { firstMs: 1_000, longestMs: 30_000 }
   */
  readonly retry?: { readonly firstMs?: number; readonly longestMs?: number };
  /** Where there is none, as in Node before 22: that of the package `ws`. */
  readonly webSocketImpl?: unknown;
  /** Where it is not the global one that should be used. */
  readonly fetch?: typeof fetch;
}

/** Text by key. An error in it counts as nothing being there. */
export interface PositionStorage {
  get(key: string): string | null | undefined | Promise<string | null | undefined>;
  set(key: string, value: string): void | Promise<void>;
  remove(key: string): void | Promise<void>;
}

export interface Resync {
  /** Of the subscription, where it has one. */
  readonly key: string | undefined;
  readonly request: Request<unknown, unknown>;
}

export interface Refused {
  readonly request: Request<unknown, unknown>;
  readonly error: OperationError;
}

export interface RealtimeClient {
  /** As of now; the same object until something changes. */
  readonly connection: Connection;
  /** Tells of each change of `connection`, until what it returns is called. */
  onConnection(listener: () => void): () => void;
  /**
   * A query or a mutation: over the open socket, otherwise over HTTP. A query is sent again when its socket is lost;
   * a mutation is not, since it may have been done.
   *
   * @throws {OperationError} It was refused, or there is no answer (`NETWORK_ERROR`).
   */
  execute<Data, Variables>(
    request: Request<Data, Variables>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Data>;
  /**
   * A mutation with a `clientId` among its variables, sent again until it is answered, one after another in the
   * order of the calls. With a `storage` it is kept until then: what this page does not get to send, the next one does,
   * before anything of its own.
   *
   * @throws {OperationError} It was refused for another reason than that it came too early, or a thousand wait.
   */
  enqueue<Data, Variables>(request: Request<Data, Variables>): Promise<Data>;
  /**
   * Continues behind the last event whatever happens to the wire. With a `key`, and a `storage`, also across page
   * loads: there its position is kept as soon as `sink.next` has returned.
   *
   * @returns how to end it
   */
  subscribe<Data, Variables>(
    request: Request<Data, Variables>,
    sink: Sink<Data>,
    options?: { readonly key?: string; readonly after?: string },
  ): () => void;
  /** Connects at once: after `refused`, when there is another token, or not to wait for `retryAt`. */
  reconnect(): void;
  /** Ends everything; nothing can be begun afterwards. */
  dispose(): void;
}

export interface Request<Data, Variables> {
  readonly document: TypedDocumentNode<Data, Variables> | string;
  readonly variables?: Variables;
  readonly operationName?: string;
}

/** An error as it came over the wire. */
export type GraphQLFailure = GraphQLFormattedError;

export interface OperationResult<Data> {
  readonly data: Data | null;
  readonly errors?: readonly GraphQLFailure[];
  /** Of this event; null for what cannot be continued from. */
  readonly position: string | null;
}

export interface Sink<Data> {
  next(result: OperationResult<Data>): void;
  /** The position is too old: what was missed cannot be told. It goes on from now; fetch the state anew. */
  resync?(): void;
  /** Refused for good. */
  error?(error: OperationError): void;
  /** The server has ended it without an error. */
  complete?(): void;
}

export type Connection =
  /** Nothing needs one. */
  | { readonly status: 'idle' }
  | { readonly status: 'connecting'; readonly attempt: number; readonly transport: RealtimeTransport }
  | {
      readonly status: 'connected';
      readonly transport: RealtimeTransport;
      /** As the server knows it; null over Server-Sent Events, where each subscription is a request of its own. */
      readonly connectionId: string | null;
      /** Of the last ping, there and back; null before the first. */
      readonly latencyMs: number | null;
    }
  /** `retryAt` in milliseconds since 1970. */
  | {
      readonly status: 'waiting';
      readonly attempt: number;
      readonly retryAt: number;
      readonly reason: string;
    }
  /** Nothing helps but another token or client. `code` is a close code, an HTTP status, or a code of an error. */
  | { readonly status: 'refused'; readonly code: number | string; readonly reason: string }
  | { readonly status: 'disposed' };
