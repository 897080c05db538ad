import { ApolloLink, CombinedGraphQLErrors } from '@apollo/client';
import { OperationTypeNode } from 'graphql';
import { Observable } from 'rxjs';
import { answered, errorOf } from './answered.ts';
import type { RealtimeClient } from './types.ts';

declare module '@apollo/client' {
  interface DefaultContext {
    /** Of a subscription: under which its position is kept, so that it continues when it is begun anew. */
    realtimeKey?: string;
    /** Of a subscription: it could not be continued, fetch its state anew. */
    onResync?: () => void;
  }
}

/**
 * All operations of an Apollo Client 4 by one client of Gravitycar Realtime: subscriptions continue behind their last
 * event, queries and mutations go over the same socket. It is the last link; `position` is in each result's
 * `extensions`.
 */
export function realtimeLink(client: RealtimeClient): ApolloLink {
  return new ApolloLink(
    ({ query, variables, operationName, operationType, getContext }) =>
      new Observable((observer) => {
        const request = { document: query, variables, ...(operationName ? { operationName } : {}) };
        if (operationType !== OperationTypeNode.SUBSCRIPTION) {
          return answered(client, request, {
            next: (result) => observer.next(result),
            error: (error) => observer.error(error),
            complete: () => observer.complete(),
          });
        }
        const { realtimeKey, onResync } = getContext();
        return client.subscribe<Record<string, unknown>, typeof variables>(
          request,
          {
            next: ({ data, errors, position }) => {
              const extensions = position === null ? undefined : { position };
              observer.next({ data, ...(errors ? { errors } : {}), ...(extensions ? { extensions } : {}) });
            },
            resync: () => onResync?.(),
            error: (error) =>
              observer.error(errorOf(error, (errors) => new CombinedGraphQLErrors({ errors }))),
            complete: () => observer.complete(),
          },
          realtimeKey === undefined ? {} : { key: realtimeKey },
        );
      }),
  );
}
