import { finalStatuses } from './closure.ts';
import { failure } from './errors.ts';
import type { Answer } from './link.ts';
import type { Payload } from './operation.ts';
import type { GraphQLFailure } from './types.ts';

export interface Endpoint {
  readonly url: string;
  readonly fetch: typeof fetch;
}

/**
 * One operation as a request of its own.
 *
 * @throws {OperationError} There was no answer, or none in GraphQL.
 */
export async function post(
  { url, fetch }: Endpoint,
  token: string | null,
  payload: Payload,
  signal?: AbortSignal,
): Promise<{ answer: Answer; status: number }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      ...bearer(token),
    },
    body: JSON.stringify(payload),
    ...(signal ? { signal } : {}),
  }).catch((error) => {
    if (signal?.aborted) throw error;
    throw failure('NETWORK_ERROR', 'The server cannot be reached.', error);
  });
  return { answer: await answerOf(response, signal), status: response.status };
}

export function bearer(token: string | null): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

async function answerOf(response: Response, signal?: AbortSignal): Promise<Answer> {
  const text = await response.text().catch((error) => {
    if (signal?.aborted) throw error;
    throw failure('NETWORK_ERROR', 'The answer broke off.', error);
  });
  const answer = parsed(text);
  if (isAnswer(answer)) return answer;
  const { status } = response;
  throw failure(
    // A proxy or a firewall may have something against this very request, and would have it again.
    finalStatuses.has(status) ? 'BLOCKED' : 'NETWORK_ERROR',
    `Something else than a GraphQL server answers: HTTP status ${status}.`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
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
