import type { Closure } from './closure.ts';
import type { Payload } from './operation.ts';
import type { GraphQLFailure, RealtimeTransport } from './types.ts';

/** One connection, from its making to its end. What has ended says nothing more. */
export interface Link {
  readonly transport: RealtimeTransport;
  /** @returns how to leave it */
  subscribe(payload: Payload, sink: LinkSink): () => void;
  /** A query or a mutation; null where those are requests of their own. Rejects with a `LinkLost`. */
  readonly execute: ((payload: Payload, signal?: AbortSignal) => Promise<Answer>) | null;
  /** It takes another token for the one that it was opened with. */
  readonly renews: boolean;
  /** Finds out whether the other side is still there; if not, it is closed. */
  check(): void;
  close(): void;
}

export interface LinkEvents {
  opened(welcome: Welcome): void;
  /** Once, whether it was opened or not; not after `close`. */
  closed(closure: Closure): void;
  latency(milliseconds: number): void;
}

export interface Welcome {
  readonly connectionId: string | null;
  /** Up to where the server knew everything when it let this connection in. */
  readonly position: string | null;
}

export interface LinkSink {
  next(answer: Answer): void;
  error(errors: readonly GraphQLFailure[]): void;
  complete(): void;
}

/** What comes for an operation. */
export interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly GraphQLFailure[];
  readonly extensions?: Record<string, unknown>;
}

/** There will be no answer, and nobody knows whether what was asked for has been done. */
export class LinkLost extends Error {
  override readonly name = 'LinkLost';
}
