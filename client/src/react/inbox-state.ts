import type { NotificationPartsFragment } from '../documents/graphql.ts';
import { counted, countOf, noneUnread, type Unread, type UnreadPage, withUnreadChange } from './unread.ts';
import {
  emptyWindow,
  rowsOf,
  type Window,
  type WindowPage,
  withoutRow,
  withPage,
  withTold,
} from './window.ts';

/** A notification as the server shows it. */
export type Notification = NotificationPartsFragment;

/** A marking that has not been answered. */
interface Marking {
  readonly isRead: boolean;
  /** Which of the viewer's markings: an answer to an earlier one does not end it. */
  readonly number: number;
  /**
   * States of the notification that the stream has told since, by their `updatedAt`; null when the inbox was read
   * anew meanwhile, and it is not known which.
   */
  readonly told: ReadonlySet<string> | null;
}

export interface InboxState {
  readonly window: Window<Notification>;
  readonly unread: Unread;
  /** By the notification's id. */
  readonly markings: ReadonlyMap<string, Marking>;
}

export interface InboxPage {
  readonly page: WindowPage<Notification>;
  readonly unread: UnreadPage;
}

/** What the stream says of a notification; null where it is gone. */
export interface InboxChange {
  readonly id: string;
  readonly notification: Notification | null;
}

export const unreadInbox: InboxState = { window: emptyWindow, unread: noneUnread, markings: new Map() };

/** The inbox read anew: what is being marked stays so. */
export function withInbox(state: InboxState, { page, unread }: InboxPage): InboxState {
  const markings = new Map([...state.markings].map(([id, marking]) => [id, { ...marking, told: null }]));
  return { window: withPage<Notification>(emptyWindow, page), unread: counted(unread, []), markings };
}

export function withOlderNotifications(state: InboxState, page: WindowPage<Notification>): InboxState {
  return { ...state, window: withPage(state.window, page) };
}

export function withInboxChange(state: InboxState, { id, notification }: InboxChange): InboxState {
  const unread = withUnreadChange(state.unread, unreadChangeOf(id, notification));
  if (!notification) return { ...state, unread, window: withoutRow(state.window, id) };
  return { window: withTold(state.window, notification), unread, markings: seen(state, notification) };
}

/** The unread ones counted again, and what has been told since that was asked. */
export function withCounting(state: InboxState, page: UnreadPage, since: readonly InboxChange[]): InboxState {
  const changes = since.map(({ id, notification }) => unreadChangeOf(id, notification));
  return { ...state, unread: counted(page, changes) };
}

/** Marked as read or unread, before it has been answered. */
export function withMarking(
  state: InboxState,
  { id, isRead, number }: { id: string; isRead: boolean; number: number },
): InboxState {
  const known = state.window.rows.get(id);
  const told = new Set(known ? [known.updatedAt] : []);
  return { ...state, markings: new Map(state.markings).set(id, { isRead, number, told }) };
}

/**
 * The answer to a marking: the notification as it was then. What the stream has told of it is in order, so a state
 * that it has passed through already is not gone back to.
 */
export function withMarked(state: InboxState, answer: Notification, number: number): InboxState {
  const marking = state.markings.get(answer.id);
  if (marking?.number !== number) return state;
  const { told } = marking;
  const isPassed = !told || told.has(answer.updatedAt) || state.window.gone.has(answer.id);
  const marked = isPassed ? state : withInboxChange(state, { id: answer.id, notification: answer });
  return withoutMarking(marked, answer.id, number);
}

/** A marking is over: answered or refused. */
export function withoutMarking(state: InboxState, id: string, number: number): InboxState {
  if (state.markings.get(id)?.number !== number) return state;
  const markings = new Map(state.markings);
  markings.delete(id);
  return { ...state, markings };
}

/** Newest first, as marked, without those that have expired by now (in milliseconds since 1970). */
export function notificationsOf({ window, markings }: InboxState, now: number): Notification[] {
  return rowsOf(window)
    .reverse()
    .filter(({ expiresAt }) => expiresAt === null || Date.parse(expiresAt) > now)
    .map((notification) => {
      const isRead = markings.get(notification.id)?.isRead ?? notification.isRead;
      return isRead === notification.isRead ? notification : { ...notification, isRead };
    });
}

export function unreadCountOf({ unread, markings }: InboxState, now: number): number {
  return countOf(unread, new Map([...markings].map(([id, { isRead }]) => [id, isRead])), now);
}

/** When the next of those that are shown or counted expires, in milliseconds since 1970. */
export function nextExpiryOf({ window, unread }: InboxState, now: number): number | null {
  const listed = [...window.rows.values()].map(({ expiresAt }) => millisecondsOf(expiresAt));
  const coming = [...listed, ...unread.ids.values()].filter((at) => at !== null && at > now) as number[];
  return coming.length === 0 ? null : coming.reduce((least, at) => Math.min(least, at));
}

export const millisecondsOf = (instant: string | null) => (instant === null ? null : Date.parse(instant));

const unreadChangeOf = (id: string, notification: Notification | null) => ({
  id,
  isUnread: notification !== null && !notification.isRead,
  expiresAt: notification ? millisecondsOf(notification.expiresAt) : null,
});

function seen({ markings }: InboxState, { id, updatedAt }: Notification): InboxState['markings'] {
  const marking = markings.get(id);
  if (!marking?.told) return markings;
  return new Map(markings).set(id, { ...marking, told: new Set(marking.told).add(updatedAt) });
}
