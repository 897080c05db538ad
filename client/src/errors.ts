import type { GraphQLFailure } from './types.ts';

/** An operation that has no data to show, and why. */
export class OperationError extends Error {
  override readonly name = 'OperationError';
  /** As they came; one that is made up when nothing came. */
  readonly errors: readonly GraphQLFailure[];
  /**
   * `extensions.code` of the first error. When there was no answer: `NETWORK_ERROR`, `TOKEN_UNAVAILABLE` when there was
   * no token to ask with, and `BLOCKED` when something between client and server lets the request not through.
   */
  readonly code: string;
  /** The same request may succeed after this time; null when it will not. */
  readonly retryAfterMs: number | null;
  /** What came beside the errors, null in places; null where nothing did. */
  readonly data: unknown;

  constructor(errors: readonly GraphQLFailure[], data: unknown = null, options?: ErrorOptions) {
    super(errors[0]?.message ?? 'The operation failed.', options);
    const { code, retryAfterMs } = errors[0]?.extensions ?? {};
    this.errors = errors;
    this.data = data;
    this.code = typeof code === 'string' ? code : 'INTERNAL_SERVER_ERROR';
    this.retryAfterMs = typeof retryAfterMs === 'number' ? retryAfterMs : null;
  }
}

/** An error of our own, in the form of those that come from the server. */
export function failure(code: string, message: string, cause?: unknown): OperationError {
  return new OperationError([{ message, extensions: { code } }], null, { cause });
}

/** These say nothing of the operation: it may have been done, or not, and another time it may be answered. */
const passing: ReadonlySet<string> = new Set(['NETWORK_ERROR', 'TOKEN_UNAVAILABLE']);

/** Asking again may help. */
export function isPassing(error: unknown): error is OperationError {
  return error instanceof OperationError && (passing.has(error.code) || error.retryAfterMs !== null);
}
