import type { NewChannel } from '../domain/channel.ts';
import type { Page } from '../domain/page.ts';
import type { ChannelRow, MemberRow } from '../domain/place.ts';
import {
  addChannelMember,
  channel,
  channels,
  createChannel,
  deleteChannel,
  joinChannel,
  leaveChannel,
  memberCount,
  members,
  memberUser,
  removeChannelMember,
  setChannelMemberRole,
  viewerRole,
} from '../resolvers/channel.ts';
import { messages } from '../resolvers/message.ts';
import { builder } from './builder.ts';
import { common } from './common.ts';
import { counted, page, read, write } from './cost.ts';
import { Entity } from './entity.ts';
import { MessageConnection } from './message.ts';
import { type Edge, edgesOf, infoOf, PageInfo } from './page.ts';
import { User } from './user.ts';

export const ChannelKind = builder.enumType('ChannelKind', {
  values: {
    PUBLIC: { description: 'Every signed-in user may read and join.' },
    PRIVATE: { description: 'Members only; others cannot learn that it exists.' },
    DIRECT: { description: 'A fixed set of people; one channel for one set.' },
  },
});

export const ChannelRole = builder.enumType('ChannelRole', {
  values: { OWNER: {}, MODERATOR: {}, MEMBER: {}, READER: { description: 'May read, not post.' } },
});

export const Channel = builder.objectRef<ChannelRow>('Channel');
export const ChannelMember = builder.objectRef<MemberRow>('ChannelMember');
const ChannelMemberEdge = builder.objectRef<Edge<MemberRow>>('ChannelMemberEdge');
const ChannelMemberConnection = builder.objectRef<Page<MemberRow>>('ChannelMemberConnection');
const ChannelEdge = builder.objectRef<Edge<ChannelRow>>('ChannelEdge');
const ChannelConnection = builder.objectRef<Page<ChannelRow>>('ChannelConnection');

Channel.implement({
  interfaces: [Entity],
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'kind' in value,
  fields: (t) => ({
    id: t.exposeID('name', { ...common, description: "The channel's name." }),
    name: t.exposeString('name', { ...common, description: '/^[a-z0-9][a-z0-9_.:-]{0,99}$/' }),
    kind: t.expose('kind', { ...common, type: ChannelKind }),
    title: t.exposeString('title', { ...common, nullable: true }),
    members: t.field({
      type: ChannelMemberConnection,
      complexity: page,
      args: { first: t.arg.int(), after: t.arg.string() },
      resolve: members,
    }),
    memberCount: t.int({ ...common, resolve: memberCount }),
    viewerRole: t.field({
      description: 'Null for someone who is not a member.',
      type: ChannelRole,
      nullable: true,
      resolve: viewerRole,
    }),
    messages: t.field({
      type: MessageConnection,
      complexity: page,
      args: { first: t.arg.int(), after: t.arg.string(), last: t.arg.int(), before: t.arg.string() },
      resolve: messages,
    }),
    createdAt: t.expose('createdAt', { ...common, type: 'DateTime' }),
  }),
});

ChannelMember.implement({
  fields: (t) => ({
    id: t.exposeID('id'),
    user: t.field({ type: User, resolve: memberUser }),
    role: t.expose('role', { type: ChannelRole }),
    joinedAt: t.expose('joinedAt', { type: 'DateTime' }),
  }),
});

ChannelMemberEdge.implement({
  fields: (t) => ({ node: t.expose('node', { type: ChannelMember }), cursor: t.exposeString('cursor') }),
});

ChannelMemberConnection.implement({
  fields: (t) => ({
    edges: t.field({ type: [ChannelMemberEdge], complexity: counted, resolve: edgesOf }),
    pageInfo: t.field({ type: PageInfo, resolve: infoOf }),
  }),
});

ChannelEdge.implement({
  fields: (t) => ({ node: t.expose('node', { type: Channel }), cursor: t.exposeString('cursor') }),
});

ChannelConnection.implement({
  fields: (t) => ({
    edges: t.field({ type: [ChannelEdge], complexity: counted, resolve: edgesOf }),
    pageInfo: t.field({ type: PageInfo, resolve: infoOf }),
  }),
});

const CreateChannelInput = builder.inputRef<NewChannel>('CreateChannelInput').implement({
  fields: (t) => ({
    name: t.string({ required: true }),
    kind: t.field({ type: ChannelKind }),
    title: t.string(),
    memberIds: t.idList(),
  }),
});

builder.queryField('channels', (t) =>
  t.field({
    description: "The viewer's channels and the public ones.",
    type: ChannelConnection,
    complexity: page,
    args: { first: t.arg.int(), after: t.arg.string() },
    resolve: channels,
  }),
);

builder.queryField('channel', (t) =>
  t.field({
    description: 'Null when there is none that the viewer may read.',
    type: Channel,
    nullable: true,
    complexity: read,
    args: { name: t.arg.string({ required: true }) },
    resolve: channel,
  }),
);

builder.mutationField('createChannel', (t) =>
  t.field({
    type: Channel,
    complexity: ({ input }) => write + (input.memberIds?.length ?? 0),
    args: { input: t.arg({ type: CreateChannelInput, required: true }) },
    resolve: createChannel,
  }),
);

builder.mutationField('joinChannel', (t) =>
  t.field({
    type: Channel,
    complexity: write,
    args: { name: t.arg.string({ required: true }) },
    resolve: joinChannel,
  }),
);

builder.mutationField('leaveChannel', (t) =>
  t.field({
    type: Channel,
    nullable: true,
    complexity: write,
    args: { name: t.arg.string({ required: true }) },
    resolve: leaveChannel,
  }),
);

builder.mutationField('addChannelMember', (t) =>
  t.field({
    type: Channel,
    complexity: write,
    args: {
      channel: t.arg.string({ required: true }),
      userId: t.arg.id({ required: true }),
      role: t.arg({ type: ChannelRole }),
    },
    resolve: addChannelMember,
  }),
);

builder.mutationField('removeChannelMember', (t) =>
  t.field({
    description: "Ends that member's live subscriptions to the channel on every node.",
    type: Channel,
    complexity: write,
    args: { channel: t.arg.string({ required: true }), userId: t.arg.id({ required: true }) },
    resolve: removeChannelMember,
  }),
);

builder.mutationField('setChannelMemberRole', (t) =>
  t.field({
    type: Channel,
    complexity: write,
    args: {
      channel: t.arg.string({ required: true }),
      userId: t.arg.id({ required: true }),
      role: t.arg({ type: ChannelRole, required: true }),
    },
    resolve: setChannelMemberRole,
  }),
);

builder.mutationField('deleteChannel', (t) =>
  t.id({ complexity: write, args: { name: t.arg.string({ required: true }) }, resolve: deleteChannel }),
);
