import type { ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import type { ErrorCode } from '../errors.ts';
import type { Portion } from '../limits/portion.ts';
import { HttpRefusal } from './body.ts';

/** The status that goes with a code outside of GraphQL's own answers. */
const statuses: Partial<Record<ErrorCode, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  BAD_USER_INPUT: 400,
  OPERATION_TOO_COMPLEX: 400,
  CONFLICT: 409,
  RATE_LIMITED: 429,
  LIMIT_EXCEEDED: 413,
  UNAVAILABLE: 503,
};

export function statusOf(error: unknown, { extensions }: GraphQLError): number {
  return error instanceof HttpRefusal ? error.status : (statuses[extensions.code as ErrorCode] ?? 500);
}

export function send(response: ServerResponse, status: number, contentType: string, text: string): void {
  response.writeHead(status, { 'content-type': contentType });
  response.end(text);
}

/** As long as a whole request may take to come. */
const untakenMs = 60_000;

/** Keeps the portion open until the answer has been taken, or is cut off because nobody takes any of it. */
export function heldUntilTaken(portion: Portion, response: ServerResponse): Portion {
  if (response.closed) portion.close();
  else {
    response.once('close', () => portion.close());
    response.setTimeout(untakenMs, () => response.destroy());
  }
  return portion;
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  send(response, status, 'application/json; charset=utf-8', `${JSON.stringify(body)}\n`);
}

/** With what a client does next by itself: sign in, or wait. */
export function sendFailure(
  response: ServerResponse,
  status: number,
  body: object,
  shown?: GraphQLError,
): void {
  // What was not read of a request that is refused is not waited for.
  if (!response.req.complete) response.setHeader('connection', 'close');
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  const wait = shown ? retryAfter(shown) : null;
  if (wait !== null) response.setHeader('retry-after', wait);
  sendJson(response, status, body);
}

/** In whole seconds, as HTTP says it. */
export function retryAfter({ extensions: { retryAfterMs } }: GraphQLError): number | null {
  return retryAfterMs === undefined ? null : Math.ceil(Number(retryAfterMs) / 1_000);
}
