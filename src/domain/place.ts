import { and, eq, inArray, sql } from 'drizzle-orm';
import type { Database, Queryable, Transaction } from '../db/database.ts';
import { channelMembers, channels } from '../db/tables.ts';
import { notFound } from '../errors.ts';
import { inBatches } from '../lib/batches.ts';
import { isUserId } from './input.ts';
import { type ChannelAction, demandInChannel, isStaff, standingsThatMay } from './policy.ts';
import type { Viewer } from './viewer.ts';

export type ChannelRow = typeof channels.$inferSelect;
export type MemberRow = typeof channelMembers.$inferSelect;

/** A channel and how the viewer stands in it. */
export interface Place {
  readonly channel: ChannelRow;
  readonly member: MemberRow | null;
}

const namePattern = /^[a-z0-9][a-z0-9_.:-]{0,99}$/;

export const noChannel = (name: string) => notFound(`The channel "${name}"`);

/** Nothing else is the name of any channel. */
export function isChannelName(name: string): boolean {
  return namePattern.test(name);
}

/**
 * Finds a channel, holds it against changes of its members until the commit, and asks whether the viewer may.
 * Whoever changes members locks for `update`: what is sent meanwhile comes before or after, never in between.
 * Who may not neither waits for it nor holds up anybody: how long an answer takes would tell that it is there.
 */
export async function lockPlace(
  tx: Transaction,
  viewer: Viewer,
  name: string,
  action: ChannelAction,
  strength: 'key share' | 'update' = 'key share',
): Promise<Place> {
  const seen = await findPlace(tx, viewer, name);
  if (!seen) throw noChannel(name);
  demandInChannel(viewer, action, standingOf(seen), name);
  return lockReadable(tx, viewer, name, action, strength);
}

/** The same for a channel that the viewer could read a moment ago. */
export async function lockReadable(
  tx: Transaction,
  viewer: Viewer,
  name: string,
  action: ChannelAction,
  strength: 'key share' | 'update' = 'key share',
): Promise<Place> {
  // In this order, and in one go: the second sees what the first had to wait for.
  const [[channel], [found]] = await Promise.all([
    tx.select().from(channels).where(eq(channels.name, name)).for(strength),
    findMemberByName(tx, name, viewer.id),
  ]);
  if (!channel) throw noChannel(name);
  const place = { channel, member: found?.member ?? null };
  demandInChannel(viewer, action, standingOf(place), name);
  return place;
}

export function standingOf({ channel, member }: Place) {
  return { kind: channel.kind, role: member?.role ?? null };
}

/** A channel that the viewer may read. One that they may not is as if it was not there: in time as well. */
export async function findPlace(queryable: Queryable, viewer: Viewer, name: string): Promise<Place | null> {
  if (!isChannelName(name)) return null;
  const [row] = await queryable
    .select({ channel: channels, member: channelMembers })
    .from(channels)
    .leftJoin(
      channelMembers,
      and(eq(channelMembers.channelId, channels.id), eq(channelMembers.userId, viewer.id)),
    )
    .where(and(eq(channels.name, name), isReadable(viewer)));
  return row ?? null;
}

/** Of a statement that joins a channel with the viewer's membership. */
export function isReadable(viewer: Viewer) {
  const standing = sql`concat_ws(' ', ${channels.kind}, ${channelMembers.role})`;
  return inArray(standing, standingsThatMay(viewer, 'read'));
}

/** @throws NOT_FOUND. For those who may know of every channel. */
export async function demandChannel(queryable: Queryable, name: string): Promise<void> {
  const [row] = isChannelName(name)
    ? await queryable.select({ id: channels.id }).from(channels).where(eq(channels.name, name))
    : [];
  if (!row) throw noChannel(name);
}

/** What a reading of a channel is granted by. */
export interface Grant {
  readonly channel: Pick<ChannelRow, 'id' | 'name' | 'kind'>;
  readonly member: Pick<MemberRow, 'id' | 'role'> | null;
  /** When it was asked, in milliseconds since 1970 by the database's clock. */
  readonly at: number;
}

/** Finds what many ask for at once, by one statement: all clients of a node come back together. */
export function createGrants(database: Database) {
  const find = inBatches<{ viewer: Viewer; name: string }, Grant | null>(async (asked) => {
    const rows = await database.query<GrantRow>(findGrants, [
      asked.map(({ name }) => name),
      asked.map(({ viewer }) => viewer.id),
      asked.map(({ viewer }) => String(isStaff(viewer))),
      ...readable,
    ]);
    return rows.map(({ at, id, name, kind, memberId, role }) =>
      id ? { at, channel: { id, name, kind }, member: memberId ? { id: memberId, role } : null } : null,
    );
  });
  return {
    /** @throws NOT_FOUND when there is none that the viewer may read. */
    async toRead(viewer: Viewer, name: string): Promise<Grant> {
      const grant = isChannelName(name) ? await find({ viewer, name }) : null;
      if (!grant) throw noChannel(name);
      return grant;
    },
  };
}

interface GrantRow {
  at: number;
  id: string | null;
  name: string;
  kind: ChannelRow['kind'];
  memberId: string | null;
  role: MemberRow['role'];
}

const anybody = { id: '', roles: [] };
const staff = { id: '', roles: ['service'] as const };
const readable = [anybody, staff].map((viewer) => standingsThatMay(viewer, 'read'));

const findGrants = `
select (extract(epoch from now()) * 1000)::float8 as at, c.id::text as id, c.name, c.kind,
       c."memberId"::text as "memberId", c.role
  from unnest($1::text[], $2::text[], $3::text[]) with ordinality asked(name, user_id, is_staff, place)
       left join lateral (
         select c.*, m.id as "memberId", m.role
           from channels c left join channel_members m on m.channel_id = c.id and m.user_id = asked.user_id
          where c.name = asked.name
            and concat_ws(' ', c.kind, m.role) = any(case when asked.is_staff::boolean then $5::text[] else $4::text[] end)) c on true
 order by asked.place`;

function findMemberByName(tx: Transaction, name: string, userId: string) {
  return tx
    .select({ member: channelMembers })
    .from(channelMembers)
    .innerJoin(channels, eq(channels.id, channelMembers.channelId))
    .where(and(eq(channels.name, name), eq(channelMembers.userId, userId)));
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
