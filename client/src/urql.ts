import { type Exchange, subscriptionExchange } from '@urql/core';
import type { DocumentNode } from 'graphql';
import { answered, errorOf } from './answered.ts';
import type { RealtimeClient } from './types.ts';

/**
 * All operations of an urql client by one client of Gravitycar Realtime: subscriptions continue behind their last
 * event, queries and mutations go over the same socket. It is the last exchange; `position` is in each result's
 * `extensions`. Of an operation's context it reads `realtimeKey`, under which a subscription's position is kept,
 * and `onResync`, which is called when one could not be continued.
 */
export function realtimeExchange(client: RealtimeClient): Exchange {
  return subscriptionExchange({
    enableAllOperations: true,
    forwardSubscription: ({ variables }, { query, kind, context }) => ({
      subscribe(sink) {
        // As it was given, and not its text: it may have a hash.
        const request = { document: query as DocumentNode, variables };
        if (kind !== 'subscription') {
          return { unsubscribe: answered(client, request, sink) };
        }
        const unsubscribe = client.subscribe<Record<string, unknown>, typeof variables>(
          request,
          {
            next: ({ data, errors, position }) => {
              const extensions = position === null ? undefined : { position };
              sink.next({ data, ...(errors ? { errors } : {}), ...(extensions ? { extensions } : {}) });
            },
            resync: () => context.onResync?.(),
            error: (error) => sink.error(errorOf(error, (errors) => errors)),
            complete: () => sink.complete(),
          },
          typeof context.realtimeKey === 'string' ? { key: context.realtimeKey } : {},
        );
        return { unsubscribe };
      },
    }),
  });
}
