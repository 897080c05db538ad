import type { RealtimeClient, Request } from 'gravitycar-realtime-client';
import type { Ledger, ReadIds } from './ledger.ts';

interface Page {
  readonly edges: readonly { readonly node: { readonly id: string } }[];
  readonly pageInfo: { readonly hasPreviousPage?: boolean; readonly hasNextPage?: boolean } & Readonly<
    Record<'startCursor' | 'endCursor', string | null>
  >;
}

const messageIds = `query MessageIds($channel: String!, $before: String) {
  channel(name: $channel) {
    messages(last: 100, before: $before) { edges { node { id } } pageInfo { hasPreviousPage startCursor endCursor } }
  }
}`;

const notificationIds = `query NotificationIds($after: String) {
  notifications(first: 100, after: $after) { edges { node { id } } pageInfo { hasNextPage startCursor endCursor } }
}`;

/** The same client; what its subscriptions to messages and notifications are told is noted on the way. */
export function overheard(client: RealtimeClient, ledger: Ledger): RealtimeClient {
  return {
    get connection() {
      return client.connection;
    },
    onConnection: (listener) => client.onConnection(listener),
    execute: (request, options) => client.execute(request, options),
    enqueue: (request) => client.enqueue(request),
    reconnect: () => client.reconnect(),
    dispose: () => client.dispose(),
    subscribe: (request, sink, options) => {
      const read = readerFor(client, request);
      if (!read) return client.subscribe(request, sink, options);
      let stream = ledger.open(read);
      const leave = client.subscribe(
        request,
        {
          ...sink,
          next: (result) => {
            const row = rowOf(result.data);
            if (row) ledger.note(stream, { id: row.id, state: stateOf(row), position: result.position });
            sink.next(result);
          },
          resync: () => {
            // It goes on from now, and says so: nothing is missing that could be told.
            ledger.close(stream);
            stream = ledger.open(read);
            sink.resync?.();
          },
          error: (error) => {
            ledger.close(stream);
            sink.error?.(error);
          },
          complete: () => {
            ledger.close(stream);
            sink.complete?.();
          },
        },
        options,
      );
      return () => {
        ledger.close(stream);
        leave();
      };
    },
  };
}

/** Null for what is not counted. */
function readerFor<Data, Variables>(
  client: RealtimeClient,
  request: Request<Data, Variables>,
): ReadIds | null {
  const field = fieldOf(request.document);
  if (field === 'notificationReceived') {
    return async (after) => {
      const { notifications } = await client.execute<{ notifications: Page }, { after: string | null }>({
        document: notificationIds,
        variables: { after },
      });
      const { hasNextPage, endCursor } = notifications.pageInfo;
      return { ids: notifications.edges.map(({ node }) => node.id), before: hasNextPage ? endCursor : null };
    };
  }
  const channel = (request.variables as { channel?: string } | undefined)?.channel;
  if (field !== 'channelMessage' || !channel) return null;
  return async (before) => {
    const data = await client.execute<{ channel: { messages: Page } | null }, object>({
      document: messageIds,
      variables: { channel, before },
    });
    if (!data.channel) return { ids: [], before: null };
    const { edges, pageInfo } = data.channel.messages;
    const ids = edges.map(({ node }) => node.id).reverse();
    return { ids, before: pageInfo.hasPreviousPage ? pageInfo.startCursor : null };
  };
}

function fieldOf<Data, Variables>(document: Request<Data, Variables>['document']): string | undefined {
  if (typeof document === 'string') return /\{\s*(\w+)/.exec(document)?.[1];
  const [operation] = document.definitions.filter(({ kind }) => kind === 'OperationDefinition');
  const [field] = operation && 'selectionSet' in operation ? operation.selectionSet.selections : [];
  return field?.kind === 'Field' ? field.name.value : undefined;
}

interface Row {
  readonly id: string;
  readonly editedAt?: string | null;
  readonly deletedAt?: string | null;
}

/** What has been deleted is told without content from its first event on, and then its deletion as well. */
const stateOf = ({ editedAt, deletedAt }: Row) => (deletedAt ? null : (editedAt ?? ''));

function rowOf(data: unknown): Row | null {
  const { channelMessage, notificationReceived } = (data ?? {}) as Partial<Record<string, Row>>;
  return channelMessage ?? notificationReceived ?? null;
}
