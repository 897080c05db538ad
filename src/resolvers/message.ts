import type { Context } from '../context.ts';
import { type MessageRow, messageOf, type NewMessage } from '../domain/message.ts';
import type { PageArguments } from '../domain/page.ts';
import type { ChannelRow } from '../domain/place.ts';
import type { Person } from '../domain/user.ts';
import type { JournalEvent } from '../realtime/event.ts';

export const messages = (channel: ChannelRow, page: PageArguments, { messages, portion }: Context) =>
  portion.read(() => messages.list(channel, page));

export const messageChannel = ({ channelId }: MessageRow, _args: unknown, { load }: Context) =>
  load.channel.load(channelId);

export const messageSender = (
  { sender, senderId }: MessageRow,
  _args: unknown,
  { load }: Context,
): Person | Promise<Person | null> => sender ?? load.user.load(senderId);

export const replyTo = ({ replyToId }: MessageRow, _args: unknown, { load }: Context) =>
  replyToId === null ? null : load.message.load(replyToId);

export const sendMessage = (
  _root: unknown,
  { input }: { input: NewMessage },
  { messages, viewer }: Context,
) => messages.send(viewer, input);

export const editMessage = (
  _root: unknown,
  { id, body }: { id: string; body: string },
  { messages, viewer }: Context,
) => messages.edit(viewer, id, body);

export const deleteMessage = (_root: unknown, { id }: { id: string }, { messages, viewer }: Context) =>
  messages.remove(viewer, id);

export const channelMessage = (
  _root: unknown,
  { channel, after }: { channel: string; after?: string | null },
  { messages, viewer, resume }: Context,
) => messages.follow(viewer, channel, [after, ...resume]);

export const toMessage = (event: JournalEvent) => messageOf(event);
