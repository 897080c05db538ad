import type { EmittedEvent, EventRecipient, NewEmittedEvent } from '../domain/event.ts';
import type { JournalEvent } from '../realtime/event.ts';
import { emitEvent, eventReceived, eventSender, toEmitted } from '../resolvers/event.ts';
import { builder } from './builder.ts';
import { common } from './common.ts';
import { read, write } from './cost.ts';
import { User } from './user.ts';

export const Event = builder.objectRef<EmittedEvent>('Event');

Event.implement({
  ...common,
  fields: (t) => ({
    id: t.exposeID('id', { nullable: true, description: 'Null when ephemeral.' }),
    type: t.exposeString('type'),
    payload: t.expose('payload', { type: 'JSON' }),
    channel: t.exposeString('channel', { nullable: true }),
    sender: t.field({ type: User, nullable: true, resolve: eventSender }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

const EventRecipientInput = builder.inputRef<EventRecipient>('EventRecipientInput').implement({
  description: 'A connectionId needs `ephemeral: true`.',
  isOneOf: true,
  fields: (t) => ({ everyone: t.boolean(), userId: t.id(), channel: t.string(), connectionId: t.id() }),
});

const EmitEventInput = builder.inputRef<NewEmittedEvent>('EmitEventInput').implement({
  fields: (t) => ({
    type: t.string({
      required: true,
      description: '/^[a-z][a-z0-9_.-]{0,99}$/; names of built-in events are refused.',
    }),
    payload: t.field({ type: 'JSON', required: true }),
    recipients: t.field({ type: [EventRecipientInput], description: 'Everyone when left out.' }),
    ephemeral: t.boolean({
      description: 'Not stored and not resumable, lowest latency; false by default.',
    }),
  }),
});

builder.mutationField('emitEvent', (t) =>
  t.id({
    description: "service, admin; returns the stored event's id, null when ephemeral.",
    nullable: true,
    complexity: ({ input }) => write + read * (input.recipients?.length ?? 0),
    args: { input: t.arg({ type: EmitEventInput, required: true }) },
    resolve: emitEvent,
  }),
);

builder.subscriptionField('eventReceived', (t) =>
  t.field({
    ...common,
    description:
      "Events emitted to everyone, to the viewer, to the viewer's channels and to this connection.",
    type: Event,
    args: { types: t.arg.stringList(), after: t.arg({ type: 'Position' }) },
    subscribe: async (root, args, context) =>
      (await eventReceived(root, args, context)) as unknown as AsyncIterable<JournalEvent>,
    resolve: toEmitted,
  }),
);
