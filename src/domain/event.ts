import { eq } from 'drizzle-orm';
import { v7 as uuid } from 'uuid';
import type { Database, Transaction } from '../db/database.ts';
import { append, type Recipient } from '../db/outbox.ts';
import type { Registry } from '../db/registry.ts';
import { channels } from '../db/tables.ts';
import { badInput, forbidden, notFound } from '../errors.ts';
import type { JournalEvent, Whisper } from '../realtime/event.ts';
import type { Positions } from '../realtime/position.ts';
import { Source } from '../realtime/source.ts';
import type { AccessPayload, Channels } from './channel.ts';
import { demandFew, demandJson, demandLength, type Json } from './input.ts';
import { isChannelName } from './place.ts';
import { demandStaff } from './policy.ts';
import { furthest, type Resume } from './position.ts';
import { findConnection } from './session.ts';
import { everyone, toChannel, toConnection, toUser } from './topics.ts';
import { demandUsers } from './user.ts';
import { signedIn, type Viewer } from './viewer.ts';

/** Exactly one is given: GraphQL's `@oneOf` sees to it. */
export interface EventRecipient {
  readonly everyone?: boolean | null;
  readonly userId?: string | null;
  readonly channel?: string | null;
  readonly connectionId?: string | null;
}

export interface NewEmittedEvent {
  readonly type: string;
  readonly payload: Json;
  readonly recipients?: readonly EventRecipient[] | null;
  /** Told in passing: neither stored nor resumable. */
  readonly ephemeral?: boolean | null;
}

/** An emitted event as one of its recipients sees it. */
export interface EmittedEvent {
  /** Null when it is not stored. */
  readonly id: string | null;
  readonly type: string;
  readonly payload: unknown;
  /** The name of the channel that it came by. */
  readonly channel: string | null;
  readonly senderId: string | null;
  readonly createdAt: Date;
}

const typePattern = /^[a-z][a-z0-9_.-]{0,99}$/;
const mostRecipients = 100;

/** Events that plain `EventSource` clients get from us, and names that those clients use themselves. */
export const reservedTypes: ReadonlySet<string> = new Set([
  ...['notification', 'message', 'model_updated', 'connected', 'ping', 'position_expired', 'revoked'],
  ...['open', 'error', 'next', 'complete'],
]);

export type Events = ReturnType<typeof createEvents>;

export function createEvents(options: EventsOptions) {
  const { database, positions, channels, registry, eventTypes, committed, whisper } = options;
  return {
    /** Answers the stored event's id, null for one that is told in passing. */
    async emit(viewer: Viewer | null, event: NewEmittedEvent): Promise<string | null> {
      const { type, payload, recipients, ephemeral } = event;
      const me = signedIn(viewer);
      demandStaff(me);
      demandType(type, eventTypes);
      demandJson('payload', payload);
      const asked = recipients ?? [{ everyone: true }];
      if (asked.length < 1 || asked.length > mostRecipients) {
        throw badInput(`An event has 1 to ${mostRecipients} recipients.`);
      }
      const content = { payload, senderId: me.id };
      if (ephemeral) {
        if (asked.some(({ connectionId }) => connectionId != null)) await registry.flush();
        const found = await database.transaction((tx) => resolveRecipients(tx, asked));
        const told = { id: uuid(), kind: 'emitted', type, payload: content, writtenAt: Date.now() };
        for (const { topic, id } of found) whisper({ ...told, topic, recipientId: id });
        return null;
      }
      if (asked.some(({ connectionId }) => connectionId != null)) {
        throw badInput('A `connectionId` needs `ephemeral: true`.');
      }
      const id = await database.transaction(async (tx) => {
        const found = await resolveRecipients(tx, asked);
        const stored = { kind: 'emitted', type, recipients: found, senderId: me.id };
        const [eventId] = append(tx, { ...stored, payload: content });
        return eventId!;
      });
      committed();
      return id;
    },

    /** What is emitted to everyone, to the viewer and to the viewer's channels, each event once. */
    async follow(
      viewer: Viewer | null,
      types: readonly string[] | null,
      resume: Resume,
      connectionId: string | null,
    ): Promise<Source> {
      const me = signedIn(viewer);
      demandFew('types', types);
      const isWanted = ({ kind, type }: JournalEvent | Whisper) =>
        kind === 'emitted' && (types?.includes(type) ?? true);
      const after = furthest(positions, resume);
      const own = [everyone.topic, toUser(me.id).topic];
      return new Source({
        after,
        topics: async (position) => {
          const joined = await channels.followedAt(me.id, position);
          return [...own, ...joined.map((channel) => toChannel(channel).topic)].sort();
        },
        wants: isWanted,
        hears: isWanted,
        ...(connectionId === null ? {} : { ownTopic: toConnection(connectionId).topic }),
        turns: (event) => changesChannels(event, me),
      });
    },
  };
}

export function emittedOf(event: JournalEvent | Whisper): EmittedEvent {
  const { payload, senderId } = event.payload as { payload: unknown; senderId: string | null };
  const channel = event.topic.startsWith('channel:') ? event.recipientId : null;
  const id = 'position' in event ? event.id : null;
  return { id, type: event.type, payload, channel, senderId, createdAt: new Date(event.writtenAt) };
}

function changesChannels(event: JournalEvent, viewer: Viewer): boolean {
  if (event.kind !== 'access') return false;
  const { userId } = event.payload as AccessPayload;
  return event.type === 'channel.deleted' || userId === viewer.id;
}

function demandType(type: string, allowed: readonly string[] | undefined): void {
  demandLength('type', type, 1_000);
  if (!typePattern.test(type))
    throw badInput('`type` has 1 to 100 of a-z, 0-9, "_", "." and "-", a letter first.');
  if (reservedTypes.has(type)) throw badInput(`"${type}" is the name of a built-in event.`);
  if (allowed && !allowed.includes(type)) throw forbidden(`Events of type "${type}" are not allowed here.`);
}

/** Channels are held against changes of their members, so that who leaves gets nothing that comes after. */
async function resolveRecipients(tx: Transaction, asked: readonly EventRecipient[]): Promise<Recipient[]> {
  await demandUsers(
    tx,
    asked.flatMap(({ userId }) => (userId == null ? [] : [userId])),
  );
  const found = new Map<string, Recipient>();
  for (const recipient of asked) {
    const { topic, ...rest } = await resolveRecipient(tx, recipient);
    found.set(topic, { topic, ...rest });
  }
  return [...found.values()];
}

async function resolveRecipient(
  tx: Transaction,
  { everyone: all, userId, channel, connectionId }: EventRecipient,
): Promise<Recipient> {
  if (userId != null) return toUser(userId);
  if (channel != null) {
    const [row] = isChannelName(channel)
      ? await tx.select().from(channels).where(eq(channels.name, channel)).for('key share')
      : [];
    if (!row) throw notFound(`The channel "${channel}"`);
    return toChannel(row);
  }
  if (connectionId != null) {
    await findConnection(tx, connectionId);
    return toConnection(connectionId);
  }
  if (!all) throw badInput('`everyone` can only be true.');
  return everyone;
}

interface EventsOptions {
  readonly database: Database;
  readonly positions: Positions;
  readonly channels: Channels;
  readonly registry: Registry;
  readonly eventTypes: readonly string[] | undefined;
  committed(): void;
  /** Tells whoever is there, on every node. */
  whisper(whisper: Whisper): void;
}
