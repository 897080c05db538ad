import { and, count, desc, eq, isNull, lt, sql } from 'drizzle-orm';
import { waiting } from '../db/backlog.ts';
import type { Database, Transaction } from '../db/database.ts';
import { append } from '../db/outbox.ts';
import type { Registry } from '../db/registry.ts';
import { realtimeConnections } from '../db/tables.ts';
import { badInput, notFound } from '../errors.ts';
import type { Positions } from '../realtime/position.ts';
import { demandLength } from './input.ts';
import { isUuid, type Page, type PageArguments, pageRequest, toPage } from './page.ts';
import { demandChannel } from './place.ts';
import { demandAdmin } from './policy.ts';
import { toNodes } from './topics.ts';
import { demandUsers } from './user.ts';
import { signedIn, type Viewer } from './viewer.ts';

/** Whose connections end. */
export interface Disconnection {
  readonly userId?: string | null;
  readonly connectionId?: string | null;
  readonly reason?: string | null;
}

/** The payload of what every node is told: kind `access`, types `user.disconnected`, `user.blocked`, `user.unblocked`. */
export interface RevocationPayload {
  readonly userId: string;
  /** Left out when it concerns all of the user's connections. */
  readonly connectionId?: string;
  readonly reason?: string;
}

/** A live connection as the table has it. */
export type SessionRow = Omit<typeof realtimeConnections.$inferSelect, 'metadata'> & {
  readonly metadata: { readonly channels: readonly string[]; readonly subscriptionCount: number } | null;
};

/** Whose sessions, and those that are subscribed to a channel. */
export interface SessionFilter {
  readonly userId?: string | null;
  readonly channel?: string | null;
}

export interface Stats {
  readonly nodes: number;
  readonly connections: number;
  readonly subscriptions: number;
  readonly outboxDepth: number;
  readonly journalPosition: string;
}

const longestReason = 200;
/** Of one user, the newest: only role service may have more. */
const mostOwn = 1_000;

export type Sessions = ReturnType<typeof createSessions>;

/** Live connections, on whatever node they are. */
export function createSessions(options: SessionsOptions) {
  const { database, registry, positions, graceSeconds, committed } = options;

  async function read(filter: SessionFilter, after: string | null, limit: number): Promise<SessionRow[]> {
    const rows = await database.orm
      .select()
      .from(realtimeConnections)
      .where(and(live(filter), after === null ? undefined : lt(realtimeConnections.id, after)))
      .orderBy(desc(realtimeConnections.id))
      .limit(limit);
    return rows as SessionRow[];
  }

  return {
    /** The viewer's own, newest first. */
    async own(viewer: Viewer | null): Promise<SessionRow[]> {
      const { id } = signedIn(viewer);
      await registry.flush();
      return read({ userId: id }, null, mostOwn);
    },

    /**
     * Everybody's, newest first. Ids grow with the time of connecting. What another node has opened within the
     * last moments may be missing.
     */
    async list(
      viewer: Viewer | null,
      filter: SessionFilter,
      pageArguments: PageArguments,
    ): Promise<Page<SessionRow>> {
      demandAdmin(signedIn(viewer));
      const request = pageRequest(pageArguments, isUuid);
      if (filter.userId != null) await demandUsers(database.orm, [filter.userId]);
      if (filter.channel != null) await demandChannel(database.orm, filter.channel);
      await registry.flush();
      const rows = await read(filter, request.after, request.size + 1);
      return toPage(rows, request, ({ id }) => id);
    },

    async count(viewer: Viewer | null, filter: SessionFilter): Promise<number> {
      demandAdmin(signedIn(viewer));
      const [row] = await database.orm
        .select({ total: count() })
        .from(realtimeConnections)
        .where(live(filter));
      return row!.total;
    },

    /** Who has a connection to any node, or had one within the grace. */
    async online(userIds: readonly string[]): Promise<Map<string, boolean>> {
      const elsewhere = userIds.filter((id) => !registry.isHere(id));
      const found =
        elsewhere.length === 0
          ? []
          : await database.query<{ id: string }>(findOnline, [elsewhere, graceSeconds]);
      const there = new Set(found.map(({ id }) => id));
      return new Map(userIds.map((id) => [id, registry.isHere(id) || there.has(id)]));
    },

    /** Ends connections on every node. Answers how many there were. */
    async disconnect(
      viewer: Viewer | null,
      { userId, connectionId, reason }: Disconnection,
    ): Promise<number> {
      demandAdmin(signedIn(viewer));
      if ((userId == null) === (connectionId == null)) {
        throw badInput('Exactly one of `userId` and `connectionId` is given.');
      }
      if (reason) demandLength('reason', reason, longestReason);
      await registry.flush();
      const ended = await database.transaction(async (tx) => {
        const found =
          userId == null ? await findConnection(tx, connectionId!) : await countConnections(tx, userId);
        const payload: RevocationPayload = {
          userId: found.userId,
          ...(connectionId == null ? {} : { connectionId }),
          ...(reason ? { reason } : {}),
        };
        const recipients = [toNodes(found.userId)];
        append(tx, { kind: 'access', type: 'user.disconnected', recipients, payload, control: true });
        return found.connections;
      });
      committed();
      return ended;
    },

    async stats(viewer: Viewer | null): Promise<Stats> {
      demandAdmin(signedIn(viewer));
      const [journal] = await database.query<{ depth: number; head: number }>(
        `select ${waiting} as depth, head::float8 as head from realtime_relay where part = 0`,
      );
      const { depth, head } = journal!;
      return { ...(await registry.cluster()), outboxDepth: depth, journalPosition: positions.seal(head) };
    },
  };
}

/** @throws NOT_FOUND when it is not connected. */
export async function findConnection(
  tx: Transaction,
  id: string,
): Promise<{ userId: string; connections: number }> {
  const [row] = isUuid(id)
    ? await tx
        .select({ userId: realtimeConnections.userId })
        .from(realtimeConnections)
        .where(and(eq(realtimeConnections.id, id), eq(realtimeConnections.isActive, true)))
    : [];
  if (!row) throw notFound(`The connection "${id}"`);
  return { userId: row.userId, connections: 1 };
}

async function countConnections(
  tx: Transaction,
  userId: string,
): Promise<{ userId: string; connections: number }> {
  await demandUsers(tx, [userId]);
  const [row] = await tx.select({ connections: count() }).from(realtimeConnections).where(live({ userId }));
  return { userId, connections: row!.connections };
}

function live({ userId, channel }: SessionFilter) {
  return and(
    eq(realtimeConnections.isActive, true),
    // The same, for the index of users.
    userId == null
      ? undefined
      : and(eq(realtimeConnections.userId, userId), isNull(realtimeConnections.closedAt)),
    channel == null ? undefined : sql`${realtimeConnections.metadata} -> 'channels' ? ${channel}`,
  );
}

const findOnline = `
select id from unnest($1::text[]) asked(id)
 where exists (select from realtime_connections where user_id = asked.id and closed_at is null and is_active)
    or exists (select from realtime_connections
                where user_id = asked.id and closed_at > clock_timestamp() - $2 * interval '1 s')`;

interface SessionsOptions {
  readonly database: Database;
  readonly registry: Registry;
  readonly positions: Positions;
  /** Who has left counts as online for so long. */
  readonly graceSeconds: number;
  committed(): void;
}
