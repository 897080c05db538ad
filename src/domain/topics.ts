import { createHash } from 'node:crypto';
import type { Recipient } from '../db/outbox.ts';

/** Everyone signed in. */
export const everyone: Recipient = { topic: 'everyone', type: 'all', id: null };

/** What every node has to hear, whoever is connected to it. */
export const nodes = 'nodes';

/** Every node, about one user. */
export const toNodes = (userId: string): Recipient => ({ topic: nodes, type: 'user', id: userId });

/** One connection; only what is told in passing goes there. */
export const toConnection = (id: string): Recipient => ({
  topic: `connection:${id}`,
  type: 'user',
  id: null,
});

export const toUser = (id: string): Recipient => ({ topic: bounded(`user:${id}`), type: 'user', id });

/** Statements that append events make the topic themselves. */
export const channelTopicPrefix = 'channel:';

/** Which channels there are: every node, about one. */
export const toChannels: Recipient = { topic: 'channels', type: 'all', id: null };

/** A model as a whole: its changes where all may see them, and whatever concerns whoever follows it. */
export const modelTopic = (model: string) => `model:${model}`;
export const modelTopicOfOwner = (model: string, userId: string) => bounded(`model:${model}/owner/${userId}`);
export const modelTopicOfPublic = (model: string) => `model:${model}/public`;
export const modelTopicOfChannel = (model: string, channelId: string) =>
  `model:${model}/channel/${channelId}`;

/** What an event of a model is about: `model:<name>`, or a row of it, `model:<name>:<key>`. */
export const modelOfSubject = (subject: string) => subject.split(':')[1]!;

/** By the channel's id and not by its name, which may come to name another channel. */
export const toChannel = ({ id, name }: { id: string; name: string }): Recipient => ({
  topic: channelTopicPrefix + id,
  type: 'channel',
  id: name,
});

const longestTopic = 256;

/** Topics are keys of indexes: a longer tail is hashed, as the function `realtime_topic` of the database does. */
function bounded(topic: string): string {
  if (Buffer.byteLength(topic) <= longestTopic) return topic;
  return `${[...topic].slice(0, 40).join('')}#${createHash('sha256').update(topic).digest('hex')}`;
}
