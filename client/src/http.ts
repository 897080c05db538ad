import { finalStatuses } from './closure.ts';
import { failure, OperationError } from './errors.ts';
import type { Answer } from './link.ts';
import type { Payload } from './operation.ts';
import type { GraphQLFailure } from './types.ts';

export interface Endpoint {
  readonly url: string;
  readonly fetch: typeof fetch;
  /** How long to wait for an answer, in milliseconds: who has gone silent would be waited for for minutes. */
  readonly withinMs?: number;
}

const usualWithinMs = 60_000;

/**
 * One operation as a request of its own.
 *
 * @throws {OperationError} There was no answer, or none in GraphQL.
 */
export async function post(
  { url, fetch, withinMs = usualWithinMs }: Endpoint,
  token: string | null,
  payload: Payload,
  signal?: AbortSignal,
): Promise<{ answer: Answer; status: number }> {
  const giving = new AbortController();
  const leave = () => giving.abort();
  const timer = setTimeout(leave, withinMs);
  signal?.addEventListener('abort', leave);
  if (signal?.aborted) leave();
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
        ...bearer(token),
      },
      body: JSON.stringify(payload),
      signal: giving.signal,
    });
    return { answer: await answerOf(response), status: response.status };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof OperationError) throw error;
    // It could not be reached, broke off, or took too long.
    throw failure('NETWORK_ERROR', 'The server does not answer.', error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', leave);
  }
}

export function bearer(token: string | null): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

async function answerOf(response: Response): Promise<Answer> {
  const answer = await response.json().catch((error) => {
    // Otherwise it is there, and no JSON.
    if (!(error instanceof SyntaxError)) throw error;
  });
  if (isAnswer(answer)) return answer;
  const { status } = response;
  throw failure(
    // A proxy or a firewall may have something against this very request, and would have it again.
    finalStatuses.has(status) ? 'BLOCKED' : 'NETWORK_ERROR',
    `Something else than a GraphQL server answers: HTTP status ${status}.`,
  );
}

function isAnswer(value: unknown): value is Answer {
  return typeof value === 'object' && value !== null && ('data' in value || 'errors' in value);
}

/** What a refusal says, where it is the server's own. */
export async function errorsOf(response: Response): Promise<readonly GraphQLFailure[] | null> {
  const answer = await response.json().catch(() => null);
  return isAnswer(answer) && answer.errors ? answer.errors : null;
}

/** In milliseconds, where a refusal says when to come back. */
export function retryAfterOf(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1_000 : undefined;
}
