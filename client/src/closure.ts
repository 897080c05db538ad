/** Why a connection ended, or was not made. */
export interface Closure {
  /** A close code, an HTTP status, or a code of an error. */
  readonly code: number | string;
  readonly reason: string;
  readonly kind: ClosureKind;
  /** Not to come back any sooner; said by the server. */
  readonly retryAfterMs?: number;
}

export type ClosureKind =
  /** It was never made: nobody is there, or something between lets none through. */
  | 'unreachable'
  /** It broke, or was closed by a server that expects its clients back. */
  | 'lost'
  /** It is had by another tab from now on: it is there at once. */
  | 'moved'
  /** The token was not good enough to begin with. */
  | 'rejected'
  /** The same again would end in the same way. */
  | 'final';

const forbidden = 4403;

/** Those of docs/errors.md that nobody comes back from, and two by which graphql-ws gives up on what it reads. */
const finalCodes: ReadonlySet<number> = new Set([
  1002, 1003, 1007, 1008, 1009, 1010, 4004, 4005, 4400, 4401, 4406, 4409, 4429, 4500,
]);
/** By which the server says that it is there, and that now is not the time. */
const busyCodes: ReadonlySet<number> = new Set([1012, 1013, 4408]);

export function closureOfSocket(code: number, reason: string, wasAcknowledged: boolean): Closure {
  const kind = () => {
    if (finalCodes.has(code)) return 'final';
    if (wasAcknowledged || busyCodes.has(code)) return 'lost';
    return code === forbidden ? 'rejected' : 'unreachable';
  };
  return { code, reason: reason || `closed with ${code}`, kind: kind() };
}

/** Statuses that say something of the request, and not of the moment. */
export const finalStatuses: ReadonlySet<number> = new Set([400, 403, 405, 406, 413, 415]);

export function closureOfStatus(status: number, wasLetIn: boolean, retryAfterMs?: number): Closure {
  const reason = status === 401 ? 'the token is not accepted' : `HTTP status ${status}`;
  const kind = () => {
    if (finalStatuses.has(status)) return 'final';
    return status === 401 && !wasLetIn ? 'rejected' : 'lost';
  };
  return { code: status, reason, kind: kind(), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

export function unreachable(error: unknown): Closure {
  return { code: 'NETWORK_ERROR', reason: messageOf(error), kind: 'unreachable' };
}

export const moved: Closure = { code: 'MOVED', reason: 'another tab has the connection', kind: 'moved' };

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
