import { OperationError } from './errors.ts';
import type { GraphQLFailure, RealtimeClient, Request } from './types.ts';

export interface AnswerSink {
  next(result: { data?: Record<string, unknown> | null; errors?: readonly GraphQLFailure[] }): void;
  /** There is no answer. */
  error(error: Error): void;
  complete(): void;
}

/** A query or a mutation, told in the way of other clients: its errors are a result. Answers how to give it up. */
export function answered(
  client: RealtimeClient,
  request: Request<unknown, unknown>,
  sink: AnswerSink,
): () => void {
  const giving = new AbortController();
  const tell = (how: () => void) => {
    if (!giving.signal.aborted) how();
  };
  client.execute(request, { signal: giving.signal }).then(
    (data) =>
      tell(() => {
        sink.next({ data: data as Record<string, unknown> });
        sink.complete();
      }),
    (error) =>
      tell(() => {
        if (!isAnswer(error)) return sink.error(error);
        sink.next({ data: error.data as Record<string, unknown> | null, errors: error.errors });
        sink.complete();
      }),
  );
  return () => giving.abort();
}

/** Errors of the server in the form of another client, ours as they are. */
export function errorOf<Other>(error: OperationError, inForm: (errors: readonly GraphQLFailure[]) => Other) {
  return isAnswer(error) ? inForm(error.errors) : error;
}

/** The server has said something. */
function isAnswer(error: unknown): error is OperationError {
  return error instanceof OperationError && !ours.has(error.code);
}

const ours: ReadonlySet<string> = new Set(['NETWORK_ERROR', 'TOKEN_UNAVAILABLE', 'BLOCKED']);
