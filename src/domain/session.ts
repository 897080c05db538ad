import { and, count, eq } from 'drizzle-orm';
import type { Database, Transaction } from '../db/database.ts';
import { append } from '../db/outbox.ts';
import type { Registry } from '../db/registry.ts';
import { realtimeConnections } from '../db/tables.ts';
import { badInput, notFound } from '../errors.ts';
import type { Positions } from '../realtime/position.ts';
import { demandLength } from './input.ts';
import { isUuid } from './page.ts';
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

export interface Stats {
  readonly nodes: number;
  readonly connections: number;
  readonly subscriptions: number;
  readonly outboxDepth: number;
  readonly journalPosition: string;
}

const longestReason = 200;

export type Sessions = ReturnType<typeof createSessions>;

/** Live connections, on whatever node they are. */
export function createSessions({ database, registry, positions, committed }: SessionsOptions) {
  return {
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
      const [journal] = await database.query<{ waiting: number; head: number }>(
        `select (select count(*) from realtime_outbox)::int as waiting, head::float8 as head
           from realtime_relay where part = 0`,
      );
      const { waiting, head } = journal!;
      return { ...(await registry.cluster()), outboxDepth: waiting, journalPosition: positions.seal(head) };
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
  const [row] = await tx
    .select({ connections: count() })
    .from(realtimeConnections)
    .where(and(eq(realtimeConnections.userId, userId), eq(realtimeConnections.isActive, true)));
  return { userId, connections: row!.connections };
}

interface SessionsOptions {
  readonly database: Database;
  readonly registry: Registry;
  readonly positions: Positions;
  committed(): void;
}
