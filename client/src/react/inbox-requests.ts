import {
  InboxDocument,
  MarkNotificationReadDocument,
  NotificationDeliveredDocument,
  NotificationDocument,
  NotificationsDocument,
  NotificationUpdatedDocument,
  type NotificationUpdatedSubscription,
  UnreadNotificationsDocument,
} from '../documents/graphql.ts';
import type { RealtimeClient, Request } from '../types.ts';
import { type Stream, streamOf } from './follow.ts';
import { type InboxPage, millisecondsOf, type Notification } from './inbox-state.ts';
import { persist } from './patience.ts';
import type { UnreadPage } from './unread.ts';
import type { WindowPage } from './window.ts';

/** What an inbox is about. */
export interface InboxOptions {
  /** Null for all. */
  readonly category: string | null;
  readonly pageSize: number;
}

export type NotificationEvent = NotificationUpdatedSubscription['modelUpdated'];

export type InboxRequests = ReturnType<typeof createInboxRequests>;

/** What an inbox asks of the server. All but `load` ask until they are answered or refused. */
export function createInboxRequests(client: RealtimeClient, { category, pageSize }: InboxOptions) {
  const filter = category === null ? {} : { categories: [category] };
  const unreadFilter = { ...filter, isRead: false };

  function ask<Data, Variables>(request: Request<Data, Variables>, signal: AbortSignal): Promise<Data> {
    return persist(() => client.execute(request, { signal }), { client, signal });
  }

  async function unread(after: string | null, signal: AbortSignal) {
    const variables = { filter: unreadFilter, after };
    const answer = await ask({ document: UnreadNotificationsDocument, variables }, signal);
    return answer.notifications;
  }

  return {
    async load(signal: AbortSignal): Promise<{ position: string; state: InboxPage }> {
      const variables = { filter, unread: unreadFilter, first: pageSize };
      const data = await client.execute({ document: InboxDocument, variables }, { signal });
      const state = { page: pageOf(data.notifications), unread: unreadOf(data.unread) };
      return { position: data.position, state };
    },

    async page(after: string | null, signal: AbortSignal): Promise<WindowPage<Notification>> {
      const variables = { filter, first: pageSize, after };
      const { notifications } = await ask({ document: NotificationsDocument, variables }, signal);
      return pageOf(notifications);
    },

    /** Null where it is gone, or has expired. */
    async one(id: string, signal: AbortSignal): Promise<Notification | null> {
      const { notification } = await ask({ document: NotificationDocument, variables: { id } }, signal);
      return notification;
    },

    async counting(signal: AbortSignal): Promise<UnreadPage> {
      return unreadOf(await unread(null, signal));
    },

    async unreadIds(signal: AbortSignal): Promise<string[]> {
      const ids: string[] = [];
      for (let after: string | null = null; ; ) {
        const { edges, pageInfo } = await unread(after, signal);
        ids.push(...edges.map(({ node }) => node.id));
        after = pageInfo.endCursor;
        if (!pageInfo.hasNextPage || after === null) return ids;
      }
    },

    async mark(id: string, isRead: boolean, signal: AbortSignal): Promise<Notification> {
      const variables = { id, read: isRead };
      const answer = await ask({ document: MarkNotificationReadDocument, variables }, signal);
      return answer.markNotificationRead;
    },

    streams(hear: (event: NotificationEvent, isBroken: boolean) => true | 'enough'): Stream[] {
      const changes = {
        document: NotificationUpdatedDocument,
        variables: category === null ? {} : { where: { category } },
      };
      const arrivals = {
        document: NotificationDeliveredDocument,
        variables: category === null ? {} : { categories: [category] },
      };
      return [
        streamOf(changes, ({ data, errors }) =>
          data ? hear(data.modelUpdated, errors !== undefined) : false,
        ),
        // What it tells is in the other one as well: it is there for the sender to know that it was delivered.
        streamOf(arrivals, () => true),
      ];
    },
  };
}

interface Listed<Node> {
  readonly edges: readonly { readonly node: Node }[];
}

interface Paged {
  readonly pageInfo: { readonly endCursor: string | null; readonly hasNextPage: boolean };
}

function pageOf({ edges, pageInfo }: Listed<Notification> & Paged): WindowPage<Notification> {
  return { rows: edges.map(({ node }) => node), cursor: pageInfo.endCursor, hasOlder: pageInfo.hasNextPage };
}

interface Expiring {
  readonly id: string;
  readonly expiresAt: string | null;
}

function unreadOf({ totalCount, edges }: Listed<Expiring> & { totalCount: number }): UnreadPage {
  return {
    totalCount,
    ids: new Map(edges.map(({ node }) => [node.id, millisecondsOf(node.expiresAt)])),
  };
}
