import type { MessageRow, NewMessage } from '../domain/message.ts';
import type { Page } from '../domain/page.ts';
import type { JournalEvent } from '../realtime/event.ts';
import {
  channelMessage,
  deleteMessage,
  editMessage,
  messageChannel,
  messageSender,
  replyTo,
  sendMessage,
  toMessage,
} from '../resolvers/message.ts';
import { builder } from './builder.ts';
import { Channel } from './channel.ts';
import { common } from './common.ts';
import { counted, write } from './cost.ts';
import { Entity } from './entity.ts';
import { type Edge, edgesOf, infoOf, PageInfo } from './page.ts';
import { User } from './user.ts';

export const Message = builder.objectRef<MessageRow>('Message');
const MessageEdge = builder.objectRef<Edge<MessageRow>>('MessageEdge');
export const MessageConnection = builder.objectRef<Page<MessageRow>>('MessageConnection');

Message.implement({
  ...common,
  interfaces: [Entity],
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'body' in value,
  fields: (t) => ({
    id: t.exposeID('id'),
    channel: t.field({
      description: 'Null once the channel is gone.',
      type: Channel,
      nullable: true,
      resolve: messageChannel,
    }),
    sender: t.field({ type: User, nullable: true, resolve: messageSender }),
    body: t.exposeString('body', { description: 'Empty once deleted.' }),
    data: t.expose('data', { type: 'JSON', nullable: true }),
    clientId: t.exposeString('clientId', { nullable: true }),
    replyTo: t.field({ type: Message, nullable: true, resolve: replyTo }),
    editedAt: t.expose('editedAt', { type: 'DateTime', nullable: true }),
    deletedAt: t.expose('deletedAt', { type: 'DateTime', nullable: true }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
  }),
});

MessageEdge.implement({
  fields: (t) => ({ node: t.expose('node', { type: Message }), cursor: t.exposeString('cursor') }),
});

MessageConnection.implement({
  fields: (t) => ({
    edges: t.field({ type: [MessageEdge], complexity: counted, resolve: edgesOf }),
    pageInfo: t.field({ type: PageInfo, resolve: infoOf }),
  }),
});

const SendMessageInput = builder.inputRef<NewMessage>('SendMessageInput').implement({
  fields: (t) => ({
    channel: t.string({ required: true }),
    body: t.string({ required: true, description: '1 to 10,000 characters.' }),
    data: t.field({ type: 'JSON' }),
    replyToId: t.id(),
    clientId: t.string({
      description:
        'Chosen by the sender; sending the same one again returns the first message and creates nothing.',
    }),
  }),
});

builder.mutationField('sendMessage', (t) =>
  t.field({
    type: Message,
    complexity: write,
    args: { input: t.arg({ type: SendMessageInput, required: true }) },
    resolve: sendMessage,
  }),
);

builder.mutationField('editMessage', (t) =>
  t.field({
    type: Message,
    complexity: write,
    args: { id: t.arg.id({ required: true }), body: t.arg.string({ required: true }) },
    resolve: editMessage,
  }),
);

builder.mutationField('deleteMessage', (t) =>
  t.field({
    type: Message,
    complexity: write,
    args: { id: t.arg.id({ required: true }) },
    resolve: deleteMessage,
  }),
);

builder.subscriptionField('channelMessage', (t) =>
  t.field({
    ...common,
    description: 'Each message of a channel when sent, edited or deleted.',
    type: Message,
    args: { channel: t.arg.string({ required: true }), after: t.arg({ type: 'Position' }) },
    subscribe: async (root, args, context) =>
      (await channelMessage(root, args, context)) as unknown as AsyncIterable<JournalEvent>,
    resolve: toMessage,
  }),
);
