import { useEffect } from 'react';
import type { OperationError } from '../errors.ts';
import type { OperationResult, Request, Sink } from '../types.ts';
import { useRealtimeClient } from './provider.ts';
import { useLatest } from './use-latest.ts';

export interface SubscriptionOptions<Data> {
  /** Each event, once and in order. */
  readonly onNext: (result: OperationResult<Data>) => void;
  /** Some events could not be told: fetch the state anew. */
  readonly onResync?: () => void;
  /** Refused for good. */
  readonly onError?: (error: OperationError) => void;
  readonly onComplete?: () => void;
  /** Under this name the client's storage keeps the position, and it continues there after the page has been loaded. */
  readonly key?: string;
  /** A position to begin behind; otherwise it begins with now. */
  readonly after?: string;
  /** Not now. */
  readonly skip?: boolean;
}

/** One subscription for as long as the component is mounted and asks for the same. */
export function useRealtimeSubscription<Data, Variables>(
  request: Request<Data, Variables>,
  options: SubscriptionOptions<Data>,
): void {
  const client = useRealtimeClient();
  const { key, after, skip = false } = options;
  const latest = useLatest(options);
  const { document, operationName } = request;
  // Compared by what they say, not by which object they are.
  const variables = JSON.stringify(request.variables);

  useEffect(() => {
    if (skip) return;
    const asked: Request<Data, Variables> = {
      document,
      ...(variables !== undefined && { variables: JSON.parse(variables) as Variables }),
      ...(operationName !== undefined && { operationName }),
    };
    const sink: Sink<Data> = {
      next: (result) => latest.current.onNext(result),
      resync: () => latest.current.onResync?.(),
      error: (error) => latest.current.onError?.(error),
      complete: () => latest.current.onComplete?.(),
    };
    let stop: (() => void) | undefined;
    let isLeft = false;
    // StrictMode mounts twice at once: the first time is over before anything has been asked of the server.
    queueMicrotask(() => {
      if (isLeft) return;
      stop = client.subscribe(asked, sink, {
        ...(key !== undefined && { key }),
        ...(after !== undefined && { after }),
      });
    });
    return () => {
      isLeft = true;
      stop?.();
    };
  }, [client, document, operationName, variables, key, after, skip, latest]);
}
