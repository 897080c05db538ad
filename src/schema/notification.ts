import type {
  NotificationAction as Action,
  NotificationFilter as Filter,
  NewNotification,
  NotificationRow,
} from '../domain/notification.ts';
import type { JournalEvent } from '../realtime/event.ts';
import {
  acknowledgeNotifications,
  actor,
  markNotificationRead,
  type NotificationPage,
  notification,
  notificationReceived,
  notifications,
  sendNotification,
  sendNotifications,
  toNotification,
  totalCount,
} from '../resolvers/notification.ts';
import { builder } from './builder.ts';
import { common } from './common.ts';
import { counted, page, read, write } from './cost.ts';
import { Entity } from './entity.ts';
import { type Edge, edgesOf, infoOf, PageInfo } from './page.ts';
import { User } from './user.ts';

const NotificationPriority = builder.enumType('NotificationPriority', {
  values: ['LOW', 'NORMAL', 'HIGH', 'URGENT'] as const,
});

const NotificationAction = builder.objectRef<Action>('NotificationAction');
export const Notification = builder.objectRef<NotificationRow>('Notification');
const NotificationEdge = builder.objectRef<Edge<NotificationRow>>('NotificationEdge');
const NotificationConnection = builder.objectRef<NotificationPage>('NotificationConnection');

NotificationAction.implement({
  ...common,
  fields: (t) => ({ label: t.exposeString('label'), url: t.exposeString('url') }),
});

Notification.implement({
  ...common,
  description: 'States are independent instants, not one enum: a notification may be read and archived.',
  interfaces: [Entity],
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'isRead' in value,
  fields: (t) => ({
    id: t.exposeID('id'),
    type: t.exposeString('type', {
      description:
        "Free-form kind, `info` by default: info, success, warning, error or the sender's own, /^[a-z][a-z0-9_.-]{0,49}$/.",
    }),
    category: t.exposeString('category', {
      description: 'What the recipient switches on and off in preferences, `general` by default.',
    }),
    title: t.exposeString('title'),
    message: t.exposeString('message'),
    priority: t.expose('priority', { type: NotificationPriority }),
    data: t.expose('data', { type: 'JSON', nullable: true }),
    url: t.exposeString('url', { nullable: true }),
    actions: t.field({ type: [NotificationAction], resolve: ({ actions }) => actions as Action[] }),
    actor: t.field({ type: User, nullable: true, resolve: actor }),
    isRead: t.exposeBoolean('isRead'),
    deliveredAt: t.expose('deliveredAt', {
      type: 'DateTime',
      nullable: true,
      description: 'First written to a live subscriber of the recipient, or acknowledged by a client.',
    }),
    readAt: t.expose('readAt', { type: 'DateTime', nullable: true }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', nullable: true }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
  }),
});

NotificationEdge.implement({
  fields: (t) => ({ node: t.expose('node', { type: Notification }), cursor: t.exposeString('cursor') }),
});

NotificationConnection.implement({
  fields: (t) => ({
    edges: t.field({ type: [NotificationEdge], complexity: counted, resolve: edgesOf }),
    pageInfo: t.field({ type: PageInfo, resolve: infoOf }),
    // One question for the page, but counted once for each of its rows.
    totalCount: t.int({ complexity: 2, resolve: totalCount }),
  }),
});

const NotificationFilter = builder.inputRef<Filter>('NotificationFilter').implement({
  fields: (t) => ({ isRead: t.boolean(), types: t.stringList(), categories: t.stringList() }),
});

const NotificationActionInput = builder.inputRef<Action>('NotificationActionInput').implement({
  fields: (t) => ({ label: t.string({ required: true }), url: t.string({ required: true }) }),
});

const SendNotificationInput = builder.inputRef<NewNotification>('SendNotificationInput').implement({
  fields: (t) => ({
    userId: t.id({ required: true }),
    title: t.string({ required: true }),
    message: t.string({ required: true }),
    type: t.string(),
    category: t.string(),
    priority: t.field({ type: NotificationPriority }),
    data: t.field({ type: 'JSON' }),
    url: t.string(),
    actions: t.field({ type: [NotificationActionInput] }),
    actorId: t.id(),
    expiresAt: t.field({ type: 'DateTime' }),
    dedupeKey: t.string({
      description:
        'A second send to the same user with the same key returns the first notification and creates nothing.',
    }),
  }),
});

builder.queryField('notification', (t) =>
  t.field({
    type: Notification,
    nullable: true,
    complexity: read,
    args: { id: t.arg.id({ required: true }) },
    resolve: notification,
  }),
);

builder.queryField('notifications', (t) =>
  t.field({
    type: NotificationConnection,
    complexity: page,
    args: {
      filter: t.arg({ type: NotificationFilter }),
      first: t.arg.int(),
      after: t.arg.string(),
      last: t.arg.int(),
      before: t.arg.string(),
    },
    resolve: notifications,
  }),
);

builder.mutationField('sendNotification', (t) =>
  t.field({
    description: 'service, admin',
    type: Notification,
    complexity: write,
    args: { input: t.arg({ type: SendNotificationInput, required: true }) },
    resolve: sendNotification,
  }),
);

builder.mutationField('sendNotifications', (t) =>
  t.field({
    description: 'service, admin; 1 to 1,000 inputs, all or none.',
    type: [Notification],
    complexity: ({ inputs }) => ({ field: write, multiplier: inputs.length }),
    args: { inputs: t.arg({ type: [SendNotificationInput], required: true }) },
    resolve: sendNotifications,
  }),
);

builder.mutationField('acknowledgeNotifications', (t) =>
  t.int({
    description: 'Delivery confirmation by a client; returns how many were newly confirmed.',
    complexity: write,
    args: { ids: t.arg.idList({ required: true }) },
    resolve: acknowledgeNotifications,
  }),
);

builder.mutationField('markNotificationRead', (t) =>
  t.field({
    type: Notification,
    complexity: write,
    args: { id: t.arg.id({ required: true }), read: t.arg.boolean({ defaultValue: true }) },
    resolve: markNotificationRead,
  }),
);

builder.subscriptionField('notificationReceived', (t) =>
  t.field({
    description: 'Notifications for the viewer, from now or behind `after`.',
    type: Notification,
    args: { types: t.arg.stringList(), categories: t.arg.stringList(), after: t.arg({ type: 'Position' }) },
    subscribe: async (root, args, context) =>
      (await notificationReceived(root, args, context)) as unknown as AsyncIterable<JournalEvent>,
    resolve: toNotification,
  }),
);
