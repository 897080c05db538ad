import { useMemo } from 'react';
import type { RealtimeClient } from '../types.ts';
import { InboxFeed, type InboxSnapshot, noInboxYet } from './inbox-feed.ts';
import { useRealtimeClient } from './provider.ts';
import { createShelf } from './shelf.ts';
import { useFeed, whole } from './use-feed.ts';

const inboxes = createShelf<InboxFeed>();
const usualPageSize = 20;

export interface InboxHookOptions {
  /**
   * How many notifications a page has, 1 to 100. Of several components that show an inbox the first one says.
   *
   * @default 20
   */
  readonly first?: number;
  /** All when left out. */
  readonly category?: string;
}

export interface InboxActions {
  /** Shown at once, and taken back when it is refused. Resolves when it is answered. */
  markRead(id: string, isRead?: boolean): Promise<void>;
  /** Every one that is unread by now, also those that are not shown. */
  markAllRead(): Promise<void>;
  /** Reads the page behind the last notification. */
  loadMore(): Promise<void>;
  /** Reads everything anew, also after it was refused for good. */
  reload(): void;
}

/** The viewer's notifications, newest first, as they are on the server: what another tab reads is read here. */
export function useInbox({
  first = usualPageSize,
  category,
}: InboxHookOptions = {}): InboxSnapshot & InboxActions {
  const client = useRealtimeClient();
  const snapshot = useFeed(placeOf(client, category, first), noInboxYet, whole<InboxSnapshot>);
  const actions = useMemo(() => actionsOf(client, category, first), [client, category, first]);
  return useMemo(() => ({ ...snapshot, ...actions }), [snapshot, actions]);
}

/** How many of the viewer's notifications are unread. It is drawn again when the number changes. */
export function useUnreadCount({ category }: Pick<InboxHookOptions, 'category'> = {}): number {
  const client = useRealtimeClient();
  // The inbox itself, so that a badge and a list beside it always say the same.
  return useFeed(placeOf(client, category, usualPageSize), noInboxYet, unreadCountIn);
}

const unreadCountIn = ({ unreadCount }: InboxSnapshot) => unreadCount;

function placeOf(client: RealtimeClient, category: string | undefined, pageSize: number) {
  const make = (changed: () => void) =>
    new InboxFeed(client, { category: category ?? null, pageSize }, changed);
  return { shelf: inboxes, client, key: category ?? '', make };
}

function actionsOf(client: RealtimeClient, category: string | undefined, pageSize: number): InboxActions {
  const { key, make } = placeOf(client, category, pageSize);
  const feed = () => inboxes.take(client, key, make);
  return {
    markRead: (id, isRead = true) => feed().markRead(id, isRead),
    markAllRead: () => feed().markAllRead(),
    loadMore: () => feed().loadMore(),
    reload: () => feed().reload(),
  };
}
