import { and, eq } from 'drizzle-orm';
import type { Queryable, Transaction } from '../db/database.ts';
import { channelMembers, channels } from '../db/tables.ts';
import { notFound } from '../errors.ts';
import { isUserId } from './input.ts';
import { type ChannelAction, demandInChannel } from './policy.ts';
import type { Viewer } from './viewer.ts';

export type ChannelRow = typeof channels.$inferSelect;
export type MemberRow = typeof channelMembers.$inferSelect;

/** A channel and how the viewer stands in it. */
export interface Place {
  readonly channel: ChannelRow;
  readonly member: MemberRow | null;
}

const namePattern = /^[a-z0-9][a-z0-9_.:-]{0,99}$/;

/** Nothing else is the name of any channel. */
export function isChannelName(name: string): boolean {
  return namePattern.test(name);
}

/**
 * Finds a channel, holds it against changes of its members until the commit, and asks whether the viewer may.
 * Whoever changes members locks for `update`: what is sent meanwhile comes before or after, never in between.
 */
export async function lockPlace(
  tx: Transaction,
  viewer: Viewer,
  name: string,
  action: ChannelAction,
  strength: 'key share' | 'update' = 'key share',
): Promise<Place> {
  const [channel] = isChannelName(name)
    ? await tx.select().from(channels).where(eq(channels.name, name)).for(strength)
    : [];
  if (!channel) throw notFound(`The channel "${name}"`);
  const place = { channel, member: await findMember(tx, channel, viewer.id) };
  demandInChannel(viewer, action, standingOf(place), name);
  return place;
}

/** @throws NOT_FOUND when there is none that the viewer may read. */
export async function readablePlace(queryable: Queryable, viewer: Viewer, name: string): Promise<Place> {
  const place = await findPlace(queryable, viewer, name);
  if (!place) throw notFound(`The channel "${name}"`);
  demandInChannel(viewer, 'read', standingOf(place), name);
  return place;
}

export function standingOf({ channel, member }: Place) {
  return { kind: channel.kind, role: member?.role ?? null };
}

/** Whether the viewer may read it or not. */
export async function findPlace(queryable: Queryable, viewer: Viewer, name: string): Promise<Place | null> {
  if (!isChannelName(name)) return null;
  const [row] = await queryable
    .select({ channel: channels, member: channelMembers })
    .from(channels)
    .leftJoin(
      channelMembers,
      and(eq(channelMembers.channelId, channels.id), eq(channelMembers.userId, viewer.id)),
    )
    .where(eq(channels.name, name));
  return row ?? null;
}

/** Null for someone who is not a member. */
export async function findMember(
  tx: Transaction,
  channel: ChannelRow,
  userId: string,
): Promise<MemberRow | null> {
  if (!isUserId(userId)) return null;
  const [member] = await tx
    .select()
    .from(channelMembers)
    .where(and(eq(channelMembers.channelId, channel.id), eq(channelMembers.userId, userId)));
  return member ?? null;
}
