import type { ErrorCode } from '../errors.ts';

/** Why the server closes a WebSocket. Whether a client comes back by itself follows from the code. */
export const Closing = {
  BadMessage: { code: 4400, reason: 'Invalid message' },
  Forbidden: { code: 4403, reason: 'Forbidden' },
  TokenExpired: { code: 4403, reason: 'token expired' },
  Internal: { code: 4500, reason: 'Internal server error' },
  TooLarge: { code: 1009, reason: 'Too much before connection_init was answered' },
  TooManyConnections: { code: 1013, reason: 'Too many connections' },
  Unavailable: { code: 1013, reason: 'Try again later' },
  Draining: { code: 1012, reason: 'Service restart: come back' },
} as const satisfies Record<string, Closing>;

export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** What graphql-ws refuses by closing, in our codes. */
export const refusedByProtocol: Readonly<Record<number, ErrorCode>> = {
  4400: 'BAD_USER_INPUT',
  4401: 'UNAUTHENTICATED',
  4408: 'UNAUTHENTICATED',
  4409: 'CONFLICT',
  4429: 'RATE_LIMITED',
};

/** A frame that closes has room for 123 bytes of reason; a longer one breaks the connection. */
export function shortened(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > mostReasonBytes) text = [...text].slice(0, -1).join('');
  return text;
}

const mostReasonBytes = 123;

/** How connections end: `left` by the client, `lost` without a word, or sent away for one of the other reasons. */
export type EndKind =
  | 'left'
  | 'lost'
  | 'ended'
  | 'drained'
  | 'forbidden'
  | 'too_large'
  | 'protocol'
  | 'failed'
  | 'later';

/** Of a WebSocket's closing code. Codes of clients are theirs to choose: all that are not known are one kind. */
export function endKindOf(code: number): EndKind {
  return kinds[code] ?? 'protocol';
}

const kinds: Readonly<Record<number, EndKind>> = {
  1000: 'left',
  1001: 'left',
  1005: 'left',
  1006: 'lost',
  1009: 'too_large',
  1011: 'failed',
  [Closing.Draining.code]: 'drained',
  [Closing.Unavailable.code]: 'later',
  [Closing.Forbidden.code]: 'forbidden',
  [Closing.Internal.code]: 'failed',
};
