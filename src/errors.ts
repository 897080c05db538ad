/**
 * What a client may be told. A code is for programs, its message for people; docs/errors.md has the same table.
 */
export const errorCodes = {
  UNAUTHENTICATED: { message: 'Sign in first.', mayRetry: false },
  FORBIDDEN: { message: 'You may not do that.', mayRetry: false },
  NOT_FOUND: { message: 'There is no such thing, or you may not know of it.', mayRetry: false },
  BAD_USER_INPUT: { message: 'An argument is not acceptable.', mayRetry: false },
  CONFLICT: { message: 'It contradicts what is already there.', mayRetry: false },
  RATE_LIMITED: { message: 'Too much in too short a time.', mayRetry: true },
  LIMIT_EXCEEDED: { message: 'More or larger than is allowed.', mayRetry: false },
  OPERATION_TOO_COMPLEX: { message: 'The operation asks for too much at once.', mayRetry: false },
  POSITION_EXPIRED: {
    message: 'The position cannot be continued from: fetch the state with `position` and subscribe anew.',
    mayRetry: false,
  },
  UNAVAILABLE: { message: 'A part of the service is away for the moment.', mayRetry: true },
  GRAPHQL_PARSE_FAILED: { message: 'The document has a syntax error.', mayRetry: false },
  GRAPHQL_VALIDATION_FAILED: { message: 'The document does not fit the schema.', mayRetry: false },
  INTERNAL_SERVER_ERROR: { message: 'Something went wrong on our side.', mayRetry: false },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An expected refusal, made where the fact is known. Whatever else is thrown leaves masked. */
export class Refusal extends Error {
  readonly code: ErrorCode;
  /** Milliseconds after which trying again makes sense. */
  readonly retryAfterMs: number | undefined;
  /** What else a program may want to know. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: ErrorCode,
    message: string = errorCodes[code].message,
    retryAfterMs?: number,
    details?: Readonly<Record<string, unknown>>,
  ) {
    super(brief(message));
    this.name = 'Refusal';
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.details = details;
  }
}

/** What a client has said may stand in a message, and that may be megabytes, many times in one answer. */
const longestMessage = 1_000;

function brief(message: string): string {
  return message.length > longestMessage ? `${message.slice(0, longestMessage).toWellFormed()}…` : message;
}

export const unauthenticated = (message?: string) => new Refusal('UNAUTHENTICATED', message);
export const forbidden = (message?: string) => new Refusal('FORBIDDEN', message);
export const rightTakenAway = () => forbidden('The right to read this has been taken away.');
export const notFound = (what: string) =>
  new Refusal('NOT_FOUND', `${what} does not exist, or you may not know of it.`);
export const badInput = (message: string) => new Refusal('BAD_USER_INPUT', message);
export const conflict = (message: string) => new Refusal('CONFLICT', message);
export const tooLarge = (message: string) => new Refusal('LIMIT_EXCEEDED', message);
export const tooManyConnections = () => new Refusal('LIMIT_EXCEEDED', 'Too many connections are open.');
export const rateLimited = (message: string, retryAfterMs: number) =>
  new Refusal('RATE_LIMITED', message, retryAfterMs);
export const positionExpired = () => new Refusal('POSITION_EXPIRED');
export const unavailable = () => new Refusal('UNAVAILABLE', undefined, 1_000);
