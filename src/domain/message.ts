import { and, asc, desc, eq, gt, inArray, lt, sql } from 'drizzle-orm';
import { v7 as uuid } from 'uuid';
import type { Database, Transaction } from '../db/database.ts';
import { append } from '../db/outbox.ts';
import { channelMembers, channels, messages } from '../db/tables.ts';
import { badInput, forbidden, notFound, Refusal } from '../errors.ts';
import type { JournalEvent } from '../realtime/event.ts';
import type { Positions } from '../realtime/position.ts';
import { Source } from '../realtime/source.ts';
import { type Tracer, untraced } from '../realtime/tracer.ts';
import type { AccessPayload } from './channel.ts';
import { demandJson, demandText, type Json } from './input.ts';
import { createMessageWriter } from './message-writer.ts';
import { isUuid, type Page, type PageArguments, pageRequest, toPage } from './page.ts';
import {
  type ChannelRow,
  createGrants,
  type Grant,
  isChannelName,
  isReadable,
  lockReadable,
  noChannel,
  type Place,
  standingOf,
} from './place.ts';
import { demandInChannel, isStaff, mayInChannel } from './policy.ts';
import { furthest, type Resume } from './position.ts';
import { toChannel } from './topics.ts';
import type { Person } from './user.ts';
import { signedIn, type Viewer } from './viewer.ts';

export interface MessageRow extends Readonly<typeof messages.$inferSelect> {
  /** As of the sending, where that is known: nobody has to look it up who is shown the event. */
  readonly sender?: Person;
}

export interface NewMessage {
  readonly channel: string;
  readonly body: string;
  readonly data?: Json | null;
  readonly replyToId?: string | null;
  readonly clientId?: string | null;
}

const longestBody = 10_000;
const longestClientId = 200;
/** No message has it. */
const nobodysId = '00000000-0000-0000-0000-000000000000';

export type Messages = ReturnType<typeof createMessages>;

export function createMessages(options: MessagesOptions) {
  const { database, positions, sending, tracer = untraced, committed } = options;
  const grants = createGrants(database);
  const writeDraft = createMessageWriter(database, tracer);

  async function findByClientId(channelId: string, senderId: string, clientId: string): Promise<MessageRow> {
    const [message] = await database.orm
      .select()
      .from(messages)
      .where(
        and(
          eq(messages.channelId, channelId),
          eq(messages.senderId, senderId),
          eq(messages.clientId, clientId),
        ),
      );
    if (!message) throw notFound('The channel');
    return message;
  }

  /** Whether it has been sent before: then sending it again creates nothing. */
  async function isRepeated(senderId: string, { channel, clientId }: NewMessage): Promise<boolean> {
    if (clientId == null) return false;
    const found = await database.orm
      .select({ id: messages.id })
      .from(messages)
      .innerJoin(channels, eq(channels.id, messages.channelId))
      .where(
        and(eq(channels.name, channel), eq(messages.senderId, senderId), eq(messages.clientId, clientId)),
      );
    return found.length > 0;
  }

  /** A message is shown as of its event, so the event carries the row. */
  function announce(tx: Transaction, type: string, channel: ChannelRow, message: MessageRow): void {
    append(tx, {
      kind: 'message',
      type,
      recipients: [toChannel(channel)],
      senderId: message.senderId,
      subject: `message:${message.id}`,
      erases: type === 'message.deleted',
      payload: message,
    });
  }

  /** What was written, or the first message with the same `clientId`. */
  async function write(me: Viewer, input: NewMessage): Promise<{ message: MessageRow; isNew: boolean }> {
    const replyToId = input.replyToId ?? null;
    const { channelId, message, hasReplyTo, ...standing } = await writeDraft({
      id: uuid(),
      eventId: uuid(),
      channel: input.channel,
      senderId: me.id,
      isStaff: isStaff(me),
      body: input.body,
      data: input.data ?? null,
      clientId: input.clientId ?? null,
      replyToId: replyToId === null || isUuid(replyToId) ? replyToId : nobodysId,
    });
    if (channelId === null) throw noChannel(input.channel);
    demandInChannel(me, 'send', standing, input.channel);
    if (!hasReplyTo) throw notFound(`The message "${replyToId}"`);
    if (message !== null) return { message: rowOf(message), isNew: true };
    return { message: await findByClientId(channelId, me.id, input.clientId!), isNew: false };
  }

  return {
    /** Sending the same `clientId` again answers with the first message and creates nothing. */
    async send(viewer: Viewer | null, input: NewMessage): Promise<MessageRow> {
      const me = signedIn(viewer);
      demandText('body', input.body, longestBody);
      demandJson('data', input.data);
      if (input.clientId != null) demandText('clientId', input.clientId, longestClientId);
      if (!isChannelName(input.channel)) throw noChannel(input.channel);
      const takeBack = await sending(me.id, input).catch(async (refusal) => {
        // What has been sent is not refused because it is sent again.
        if (await isRepeated(me.id, input)) return () => {};
        throw refusal;
      });
      let isNew = false;
      try {
        const written = await write(me, input);
        isNew = written.isNew;
        if (isNew) committed();
        return written.message;
      } finally {
        if (!isNew) takeBack();
      }
    },

    async edit(viewer: Viewer | null, id: string, body: string): Promise<MessageRow> {
      const me = signedIn(viewer);
      demandText('body', body, longestBody);
      const message = await database.transaction(async (tx) => {
        const { place, message } = await lockMessage(tx, me, id);
        if (message.senderId !== me.id) throw forbidden('A message is edited by its sender.');
        if (!mayInChannel(me, 'editOwnMessage', standingOf(place))) throw forbidden();
        if (message.deletedAt) throw badInput('The message has been deleted.');
        const change = { body, editedAt: sql`now()`, updatedAt: sql`now()` };
        const [edited] = await tx.update(messages).set(change).where(eq(messages.id, id)).returning();
        announce(tx, 'message.edited', place.channel, edited!);
        return edited!;
      });
      committed();
      return message;
    },

    /** The row stays without its content; deleting again changes nothing. */
    async remove(viewer: Viewer | null, id: string): Promise<MessageRow> {
      const me = signedIn(viewer);
      const message = await database.transaction(async (tx) => {
        const { place, message } = await lockMessage(tx, me, id);
        const isOwn = message.senderId === me.id;
        const standing = standingOf(place);
        const may =
          mayInChannel(me, 'deleteAnyMessage', standing) ||
          (isOwn && mayInChannel(me, 'deleteOwnMessage', standing));
        if (!may) throw forbidden();
        if (message.deletedAt) return message;
        const change = { body: '', data: null, deletedAt: sql`now()`, updatedAt: sql`now()` };
        const [deleted] = await tx.update(messages).set(change).where(eq(messages.id, id)).returning();
        announce(tx, 'message.deleted', place.channel, deleted!);
        return deleted!;
      });
      committed();
      return message;
    },

    async byIds(ids: readonly string[]): Promise<Map<string, MessageRow>> {
      const rows = await database.orm
        .select()
        .from(messages)
        .where(inArray(messages.id, [...ids]));
      return new Map(rows.map((row) => [row.id, row]));
    },

    /** The messages of a channel that the viewer was let to, oldest first. */
    async list(channel: ChannelRow, pageArguments: PageArguments): Promise<Page<MessageRow>> {
      const request = pageRequest(pageArguments, isUuid);
      const rows = await database.orm
        .select()
        .from(messages)
        .where(
          and(
            eq(messages.channelId, channel.id),
            request.after === null ? undefined : gt(messages.id, request.after),
            request.before === null ? undefined : lt(messages.id, request.before),
          ),
        )
        .orderBy(request.isBackward ? desc(messages.id) : asc(messages.id))
        .limit(request.size + 1);
      return toPage(rows, request, ({ id }) => id);
    },

    /** Each message of a channel when sent, edited or deleted. */
    async follow(viewer: Viewer | null, name: string, resume: Resume): Promise<Source> {
      const me = signedIn(viewer);
      const after = furthest(positions, resume);
      let granted: Grant | undefined;
      return new Source({
        after,
        // Asked once the head has been read: a right that was lost before is not given, and one that is lost
        // later is met as an event.
        topics: async () => {
          granted = await grants.toRead(me, name);
          return [toChannel(granted.channel).topic];
        },
        isCommon: true,
        about: [name],
        wants: ({ kind }) => kind === 'message',
        revokes: (event) => granted !== undefined && endsReading(event, me, granted),
      });
    },
  };
}

/** An event's payload as the row that it was, or as its deletion left it. */
export const messageOf = ({ payload, erasedBy }: JournalEvent): MessageRow => rowOf(erasedBy ?? payload);

function rowOf(json: unknown): MessageRow {
  const row = json as Record<keyof MessageRow, unknown>;
  const instant = (value: unknown) => (value === null ? null : new Date(value as string));
  const sender = row.sender as Person | undefined;
  return {
    ...(row as MessageRow),
    ...(sender && { sender: { ...sender, createdAt: instant(sender.createdAt)! } }),
    editedAt: instant(row.editedAt),
    deletedAt: instant(row.deletedAt),
    createdAt: instant(row.createdAt)!,
    updatedAt: instant(row.updatedAt)!,
  };
}

/**
 * Whether an event ends the viewer's reading of a channel. A replay may meet the end of a membership that the
 * viewer has long renewed: what counts is the one they read by, or one that began after they were let in.
 */
function endsReading(event: JournalEvent, viewer: Viewer, { channel, member, at }: Grant): boolean {
  if (event.kind !== 'access' || event.type === 'member.joined') return false;
  const { channelId, userId, membershipId, joinedAt } = event.payload as AccessPayload;
  if (channelId !== channel.id) return false;
  if (event.type === 'channel.deleted') return true;
  if (userId !== viewer.id) return false;
  // Who merely leaves a public channel may read it like everybody else.
  if (event.type === 'member.left' && channel.kind === 'PUBLIC') return false;
  return membershipId === member?.id || joinedAt! > at;
}

/** @throws NOT_FOUND when there is none that the viewer may read. */
async function lockMessage(
  tx: Transaction,
  viewer: Viewer,
  id: string,
): Promise<{ place: Place; message: MessageRow }> {
  const missing = notFound(`The message "${id}"`);
  if (!isUuid(id)) throw missing;
  const [found] = await tx
    .select({ name: channels.name })
    .from(messages)
    .innerJoin(channels, eq(channels.id, messages.channelId))
    .leftJoin(
      channelMembers,
      and(eq(channelMembers.channelId, channels.id), eq(channelMembers.userId, viewer.id)),
    )
    .where(and(eq(messages.id, id), isReadable(viewer)));
  if (!found) throw missing;
  const place = await lockReadable(tx, viewer, found.name, 'read').catch((error) => {
    throw error instanceof Refusal ? missing : error;
  });
  const [message] = await tx.select().from(messages).where(eq(messages.id, id)).for('update');
  if (!message) throw missing;
  return { place, message };
}

/**
 * Asked before a message is sent; the answer takes it back where nothing came of it.
 * @throws RATE_LIMITED
 */
export type Sending = (senderId: string, message: NewMessage) => Promise<() => void>;

interface MessagesOptions {
  readonly database: Database;
  readonly positions: Positions;
  readonly tracer?: Tracer;
  readonly sending: Sending;
  committed(): void;
}
