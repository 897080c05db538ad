import { and, asc, count, eq, gt, inArray, isNotNull, ne, or, sql } from 'drizzle-orm';
import { v7 as uuid } from 'uuid';
import type { Database, Transaction } from '../db/database.ts';
import { append, type NewEvent } from '../db/outbox.ts';
import { channelMembers, channels } from '../db/tables.ts';
import { badInput, conflict, notFound } from '../errors.ts';
import { demandLength, demandText } from './input.ts';
import { isUuid, type Page, type PageArguments, pageRequest, toPage } from './page.ts';
import {
  type ChannelRow,
  findMember,
  findPlace,
  isChannelName,
  lockPlace,
  type MemberRow,
  standingOf,
} from './place.ts';
import { type ChannelKind, type ChannelRole, demandInChannel, mayInChannel } from './policy.ts';
import { toChannel, toChannels, toUser } from './topics.ts';
import { demandUsers } from './user.ts';
import { signedIn, type Viewer } from './viewer.ts';

export interface NewChannel {
  readonly name: string;
  readonly kind?: ChannelKind | null;
  readonly title?: string | null;
  readonly memberIds?: readonly string[] | null;
}

/** The payload of the events that tell who may read: kind `access`. */
export interface AccessPayload {
  readonly channelId: string;
  readonly name: string;
  readonly kind: ChannelKind;
  /** Left out when it concerns everybody. */
  readonly userId?: string;
  readonly membershipId?: string;
  /** When the membership began, in milliseconds since 1970 by the database's clock. */
  readonly joinedAt?: number;
}

const longestTitle = 200;
const mostMembersAtOnce = 1_000;

export type Channels = ReturnType<typeof createChannels>;

export function createChannels({ database, committed }: { database: Database; committed: () => void }) {
  async function change<Result>(work: (tx: Transaction) => Promise<Result>): Promise<Result> {
    const result = await database.transaction(work);
    committed();
    return result;
  }

  return {
    /** Null when there is none that the viewer may read. */
    async find(viewer: Viewer | null, name: string): Promise<ChannelRow | null> {
      const me = signedIn(viewer);
      const place = await findPlace(database.orm, me, name);
      return place?.channel ?? null;
    },

    /** The viewer's channels and the public ones, by name. */
    async list(viewer: Viewer | null, pageArguments: PageArguments): Promise<Page<ChannelRow>> {
      const me = signedIn(viewer);
      const request = pageRequest(pageArguments, (key) => isChannelName(key));
      const rows = await database.orm
        .select({ channel: channels })
        .from(channels)
        .leftJoin(
          channelMembers,
          and(eq(channelMembers.channelId, channels.id), eq(channelMembers.userId, me.id)),
        )
        .where(
          and(
            or(eq(channels.kind, 'PUBLIC'), isNotNull(channelMembers.id)),
            request.after === null ? undefined : gt(channels.name, request.after),
          ),
        )
        .orderBy(asc(channels.name))
        .limit(request.size + 1);
      return toPage(
        rows.map(({ channel }) => channel),
        request,
        ({ name }) => name,
      );
    },

    async byIds(ids: readonly string[]): Promise<Map<string, ChannelRow>> {
      const rows = await database.orm
        .select()
        .from(channels)
        .where(inArray(channels.id, [...ids]));
      return new Map(rows.map((row) => [row.id, row]));
    },

    /** Who is in a channel, in the order of their joining. */
    async members(channel: ChannelRow, pageArguments: PageArguments): Promise<Page<MemberRow>> {
      const request = pageRequest(pageArguments, isUuid);
      const rows = await database.orm
        .select()
        .from(channelMembers)
        .where(
          and(
            eq(channelMembers.channelId, channel.id),
            request.after === null ? undefined : gt(channelMembers.id, request.after),
          ),
        )
        .orderBy(asc(channelMembers.id))
        .limit(request.size + 1);
      return toPage(rows, request, ({ id }) => id);
    },

    async memberCounts(channelIds: readonly string[]): Promise<Map<string, number>> {
      const rows = await database.orm
        .select({ id: channelMembers.channelId, members: count() })
        .from(channelMembers)
        .where(inArray(channelMembers.channelId, [...channelIds]))
        .groupBy(channelMembers.channelId);
      return new Map(rows.map(({ id, members }) => [id, members]));
    },

    async rolesOf(viewer: Viewer, channelIds: readonly string[]): Promise<Map<string, ChannelRole>> {
      const rows = await database.orm
        .select({ id: channelMembers.channelId, role: channelMembers.role })
        .from(channelMembers)
        .where(and(eq(channelMembers.userId, viewer.id), inArray(channelMembers.channelId, [...channelIds])));
      return new Map(rows.map(({ id, role }) => [id, role]));
    },

    async create(viewer: Viewer | null, { name, kind, title, memberIds }: NewChannel): Promise<ChannelRow> {
      const me = signedIn(viewer);
      demandName(name);
      if (title) demandText('title', title, longestTitle);
      if (kind === 'DIRECT') throw badInput('A DIRECT channel is opened for its set of people, not created.');
      const others = [...new Set(memberIds ?? [])].filter((id) => id !== me.id);
      if (others.length > mostMembersAtOnce)
        throw badInput(`\`memberIds\` are at most ${mostMembersAtOnce}.`);
      return change(async (tx) => {
        await demandUsers(tx, others);
        const [channel] = await tx
          .insert(channels)
          .values({ id: uuid(), name, kind: kind ?? 'PUBLIC', title: title ?? null })
          .onConflictDoNothing()
          .returning();
        if (!channel) throw conflict(`The name "${name}" is taken.`);
        const members = [
          await addMember(tx, channel, me.id, 'OWNER'),
          ...(await Promise.all(others.map((id) => addMember(tx, channel, id, 'MEMBER')))),
        ];
        append(
          tx,
          access('channel.created', [toChannels], channel, {}),
          ...members.flatMap((member) => (member ? [joined(channel, member)] : [])),
        );
        return channel;
      });
    },

    async join(viewer: Viewer | null, name: string): Promise<ChannelRow> {
      const me = signedIn(viewer);
      return change(async (tx) => {
        const { channel } = await lockPlace(tx, me, name, 'join');
        const member = await addMember(tx, channel, me.id, 'MEMBER');
        if (member) append(tx, joined(channel, member));
        return channel;
      });
    },

    /** Null when the viewer may no longer read what was left. */
    async leave(viewer: Viewer | null, name: string): Promise<ChannelRow | null> {
      const me = signedIn(viewer);
      return change(async (tx) => {
        const { channel, member } = await lockPlace(tx, me, name, 'read', 'update');
        if (member) await endMembership(tx, channel, member, 'member.left');
        return mayInChannel(me, 'read', { kind: channel.kind, role: null }) ? channel : null;
      });
    },

    async addMember(
      viewer: Viewer | null,
      name: string,
      userId: string,
      role: ChannelRole,
    ): Promise<ChannelRow> {
      const me = signedIn(viewer);
      return change(async (tx) => {
        const place = await lockPlace(tx, me, name, 'manageMembers', 'update');
        if (role === 'OWNER') demandInChannel(me, 'manageOwners', standingOf(place), name);
        await demandUsers(tx, [userId]);
        const member = await addMember(tx, place.channel, userId, role);
        if (member) append(tx, joined(place.channel, member));
        return place.channel;
      });
    },

    async removeMember(viewer: Viewer | null, name: string, userId: string): Promise<ChannelRow> {
      const me = signedIn(viewer);
      return change(async (tx) => {
        const place = await lockPlace(tx, me, name, 'manageMembers', 'update');
        const member = await demandMember(tx, place.channel, userId);
        if (member.role === 'OWNER') demandInChannel(me, 'manageOwners', standingOf(place), name);
        await endMembership(tx, place.channel, member, 'member.removed');
        return place.channel;
      });
    },

    async setRole(
      viewer: Viewer | null,
      name: string,
      userId: string,
      role: ChannelRole,
    ): Promise<ChannelRow> {
      const me = signedIn(viewer);
      return change(async (tx) => {
        const { channel } = await lockPlace(tx, me, name, 'setRoles', 'update');
        const member = await demandMember(tx, channel, userId);
        if (member.role === 'OWNER' && role !== 'OWNER') await demandOtherOwner(tx, channel, member);
        await tx.update(channelMembers).set({ role }).where(eq(channelMembers.id, member.id));
        return channel;
      });
    },

    /** Its messages go with it, and every subscription to it ends. Answers its id. */
    async remove(viewer: Viewer | null, name: string): Promise<string> {
      const me = signedIn(viewer);
      return change(async (tx) => {
        const { channel } = await lockPlace(tx, me, name, 'deleteChannel', 'update');
        append(tx, access('channel.deleted', [toChannel(channel), toChannels], channel, {}));
        await tx.delete(channels).where(eq(channels.id, channel.id));
        return channel.name;
      });
    },

    /**
     * The ids of the channels that the user follows at a position of the journal: those they are a member of
     * now, less those that they joined behind the position, which will be met as events.
     */
    async followedAt(userId: string, position: number): Promise<{ id: string; name: string }[]> {
      return database.query<{ id: string; name: string }>(
        `select c.id::text as id, c.name from channel_members m join channels c on c.id = m.channel_id
          where m.user_id = $1
            and not exists (select from realtime_outbox o
                             where o.event_type = 'member.joined' and o.payload->>'membershipId' = m.id::text)
            and not exists (select from realtime_events e
                             where e.topic = $2 and e.position > $3::bigint
                               and e.event_type = 'member.joined' and e.payload->>'membershipId' = m.id::text)`,
        [userId, toUser(userId).topic, position],
      );
    },
  };
}

async function demandMember(tx: Transaction, channel: ChannelRow, userId: string): Promise<MemberRow> {
  const member = await findMember(tx, channel, userId);
  if (!member) throw notFound(`The member "${userId}"`);
  return member;
}

/** Null when they are a member already. */
async function addMember(
  tx: Transaction,
  channel: ChannelRow,
  userId: string,
  role: ChannelRole,
): Promise<MemberRow | null> {
  const [member] = await tx
    .insert(channelMembers)
    .values({ id: uuid(), channelId: channel.id, userId, role })
    .onConflictDoNothing()
    .returning();
  return member ?? null;
}

async function endMembership(
  tx: Transaction,
  channel: ChannelRow,
  member: MemberRow,
  type: 'member.left' | 'member.removed',
): Promise<void> {
  if (member.role === 'OWNER') await demandOtherOwner(tx, channel, member);
  await tx.delete(channelMembers).where(eq(channelMembers.id, member.id));
  append(
    tx,
    access(type, [toChannel(channel), toUser(member.userId)], channel, {
      userId: member.userId,
      membershipId: member.id,
      joinedAt: member.joinedAt.getTime(),
    }),
  );
}

/** @throws CONFLICT when others would be left without an owner. */
async function demandOtherOwner(tx: Transaction, channel: ChannelRow, owner: MemberRow): Promise<void> {
  const others = await tx
    .select({ role: channelMembers.role })
    .from(channelMembers)
    .where(and(eq(channelMembers.channelId, channel.id), ne(channelMembers.id, owner.id)))
    .orderBy(sql`${channelMembers.role} = 'OWNER' desc`)
    .limit(1);
  if (others[0] && others[0].role !== 'OWNER')
    throw conflict('The last owner stays while there are other members.');
}

function joined(channel: ChannelRow, member: MemberRow): NewEvent {
  const payload = { userId: member.userId, membershipId: member.id };
  return access('member.joined', [toUser(member.userId)], channel, payload);
}

function access(
  type: string,
  recipients: NewEvent['recipients'],
  { id, name, kind }: ChannelRow,
  about: Omit<AccessPayload, 'channelId' | 'name' | 'kind'>,
): NewEvent {
  const payload: AccessPayload = { channelId: id, name, kind, ...about };
  return { kind: 'access', type, recipients, payload, control: true };
}

function demandName(name: string): void {
  if (isChannelName(name)) return;
  demandLength('name', name, 1_000);
  throw badInput(
    'A channel\'s name has 1 to 100 of a-z, 0-9, "_", ".", ":" and "-", and begins with a letter or digit.',
  );
}
