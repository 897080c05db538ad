import type { Context } from '../context.ts';
import type { NewChannel } from '../domain/channel.ts';
import type { PageArguments } from '../domain/page.ts';
import type { ChannelRow, MemberRow } from '../domain/place.ts';
import type { ChannelRole } from '../domain/policy.ts';

interface Named {
  readonly name: string;
}

interface OfMember {
  readonly channel: string;
  readonly userId: string;
}

export const channel = (_root: unknown, { name }: Named, { channels, viewer }: Context) =>
  channels.find(viewer, name);

export const channels = (_root: unknown, page: PageArguments, context: Context) =>
  context.portion.read(() => context.channels.list(context.viewer, page));

export const members = (channel: ChannelRow, page: PageArguments, { channels, portion }: Context) =>
  portion.read(() => channels.members(channel, page));

export const memberCount = ({ id }: ChannelRow, _args: unknown, { load }: Context) =>
  load.memberCount.load(id);

export const viewerRole = ({ id }: ChannelRow, _args: unknown, { load }: Context) => load.viewerRole.load(id);

export const memberUser = async ({ userId }: MemberRow, _args: unknown, { load }: Context) =>
  (await load.user.load(userId))!;

export const createChannel = (
  _root: unknown,
  { input }: { input: NewChannel },
  { channels, viewer }: Context,
) => channels.create(viewer, input);

export const joinChannel = (_root: unknown, { name }: Named, { channels, viewer }: Context) =>
  channels.join(viewer, name);

export const leaveChannel = (_root: unknown, { name }: Named, { channels, viewer }: Context) =>
  channels.leave(viewer, name);

export const addChannelMember = (
  _root: unknown,
  { channel, userId, role }: OfMember & { role?: ChannelRole | null },
  { channels, viewer }: Context,
) => channels.addMember(viewer, channel, userId, role ?? 'MEMBER');

export const removeChannelMember = (
  _root: unknown,
  { channel, userId }: OfMember,
  { channels, viewer }: Context,
) => channels.removeMember(viewer, channel, userId);

export const setChannelMemberRole = (
  _root: unknown,
  { channel, userId, role }: OfMember & { role: ChannelRole },
  { channels, viewer }: Context,
) => channels.setRole(viewer, channel, userId, role);

export const deleteChannel = (_root: unknown, { name }: Named, { channels, viewer }: Context) =>
  channels.remove(viewer, name);
