import type { Context } from '../context.ts';
import {
  type NewNotification,
  type NotificationFilter,
  type NotificationRow,
  notificationOf,
} from '../domain/notification.ts';
import type { Page, PageArguments } from '../domain/page.ts';
import type { JournalEvent } from '../realtime/event.ts';

/** A page and what it was asked with, so that the whole can be counted when that is asked for. */
export interface NotificationPage extends Page<NotificationRow> {
  readonly filter: NotificationFilter;
}

export const notification = (_root: unknown, { id }: { id: string }, { notifications, viewer }: Context) =>
  notifications.find(viewer, id);

export const notifications = async (
  _root: unknown,
  { filter, ...page }: { filter?: NotificationFilter | null } & PageArguments,
  { notifications, viewer, portion }: Context,
): Promise<NotificationPage> => {
  const asked = filter ?? {};
  return { ...(await portion.read(() => notifications.list(viewer, asked, page))), filter: asked };
};

export const totalCount = (
  { filter }: NotificationPage,
  _args: unknown,
  { notifications, viewer }: Context,
) => notifications.count(viewer, filter);

export const actor = ({ actorId }: NotificationRow, _args: unknown, { load }: Context) =>
  actorId === null ? null : load.user.load(actorId);

export const sendNotification = async (
  _root: unknown,
  { input }: { input: NewNotification },
  { notifications, viewer }: Context,
) => (await notifications.send(viewer, [input]))[0]!;

export const sendNotifications = (
  _root: unknown,
  { inputs }: { inputs: NewNotification[] },
  { notifications, viewer }: Context,
) => notifications.send(viewer, inputs);

export const acknowledgeNotifications = (
  _root: unknown,
  { ids }: { ids: string[] },
  { notifications, viewer }: Context,
) => notifications.acknowledge(viewer, ids);

export const markNotificationRead = (
  _root: unknown,
  { id, read }: { id: string; read?: boolean | null },
  { notifications, viewer }: Context,
) => notifications.markRead(viewer, id, read ?? true);

export const notificationReceived = (
  _root: unknown,
  { after, ...filter }: { types?: string[] | null; categories?: string[] | null; after?: string | null },
  { notifications, viewer, resume }: Context,
) => notifications.follow(viewer, filter, [after, ...resume]);

export const toNotification = (event: JournalEvent) => notificationOf(event);
