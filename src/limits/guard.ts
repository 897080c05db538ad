import { setTimeout as wait } from 'node:timers/promises';
import type { Config, Rate } from '../config.ts';
import { createConnectionCounts } from '../db/connection-counts.ts';
import type { Database } from '../db/database.ts';
import type { Viewer } from '../domain/viewer.ts';
import { rateLimited } from '../errors.ts';
import { clientNetworkOf } from '../lib/network.ts';
import type { Log } from '../observability/log.ts';
import { Counter } from '../redis/counter.ts';
import { Allowance } from './allowance.ts';
import { type Effort, Efforts, effortless } from './effort.ts';
import { Lanes } from './lanes.ts';
import { createNotices } from './notices.ts';
import { Pace } from './pace.ts';
import { type Guest, type Leave, Places } from './places.ts';
import { Holdings, Portion } from './portion.ts';
import { Repeats, type Saying } from './repeats.ts';
import { createTally } from './tally.ts';

export type Guard = ReturnType<typeof createGuard>;

/** So late a refusal may come. */
const latestMs = 1_000;
/** So many subscriptions of a user are being opened at once: each reads from the database. */
const mostOpenings = 4;

/** How much a client may ask: the same on every wire, and of all nodes together. docs/limits.md describes it. */
export function createGuard({
  limits,
  redisUrls,
  countMs,
  database,
  node,
  scope,
  log,
  failed,
}: GuardOptions) {
  const counter = redisUrls ? new Counter(redisUrls, countMs, failed) : null;
  // An embedded database has one node.
  const counts = database.kind === 'postgres' ? createConnectionCounts(database, node) : null;
  const allowance = (name: string, rate: Rate) =>
    new Allowance({ rate, tally: createTally({ name, rate, counter, scope }) });
  const connections = allowance('connections', limits.connectionRatePerIp);
  const operations = allowance('operations', limits.operationRatePerUser);
  const messages = allowance('messages', limits.messageRatePerUser);
  const repeats = new Repeats({ counter, scope });
  const places = new Places({ most: limits.connectionsPerUser, counts, failed });
  const efforts = new Efforts();
  const openings = new Lanes(mostOpenings);
  const holdings = new Holdings();
  const noticed = createNotices(log);

  return {
    /** One more WebSocket or event stream. @throws RATE_LIMITED */
    async connecting(address: string | null): Promise<void> {
      const refusedMs = await connections.take(ownerOf(null, address));
      if (refusedMs === null) return;
      noticed('CONNECTION_RATE_PER_IP', { address });
      throw rateLimited('Too many connections were opened in too short a time.', refusedMs);
    },

    /** One query or mutation. @throws RATE_LIMITED */
    async operating(viewer: Viewer | null, address: string | null): Promise<void> {
      if (viewer?.roles.includes('service')) return;
      const owner = ownerOf(viewer, address);
      const refusedMs = await operations.take(owner);
      if (refusedMs === null) return;
      noticed('OPERATION_RATE_PER_USER', { userId: viewer?.id, address });
      // Saying no is work as well, and who asks all the same is told later.
      if (operations.isFlooded(owner)) await wait(Math.min(refusedMs, latestMs), undefined, { ref: false });
      throw rateLimited('Too many operations in too short a time.', refusedMs);
    },

    /** What they make this node do while nobody else is served. */
    effortOf(viewer: Viewer | null, address: string | null): Effort {
      if (viewer?.roles.includes('service')) return effortless;
      return efforts.of(ownerOf(viewer, address), () => noticed('effort', { userId: viewer?.id, address }));
    },

    /** What one of their operations has this node hold; to be closed once its answer has been taken. */
    portionOf(viewer: Viewer | null, address: string | null): Portion {
      if (viewer?.roles.includes('service')) return new Portion();
      return holdings.portionOf(ownerOf(viewer, address));
    },

    /** Opens a subscription when it is the user's turn. */
    opening<Opened>({ id }: Viewer, open: () => Promise<Opened>): Promise<Opened> {
      return openings.run(id, open);
    },

    /** One message. The answer takes it back: it was not sent after all. @throws RATE_LIMITED */
    async sending(senderId: string, message: Saying): Promise<() => void> {
      const key = JSON.stringify([senderId, message.channel]);
      const refusedMs = await messages.take(key);
      if (refusedMs !== null) {
        noticed('MESSAGE_RATE_PER_USER', { userId: senderId });
        throw rateLimited('Too many messages in too short a time.', refusedMs);
      }
      const said = await repeats.say(senderId, message);
      if (typeof said === 'number') {
        messages.giveBack(key);
        noticed('the same message again', { userId: senderId });
        throw rateLimited('The same message again and again.', said);
      }
      return () => {
        messages.giveBack(key);
        said();
      };
    },

    /** A place for a socket of which it is not known yet whose it is; null when its address has no more. */
    waiting(address: string | null): Leave | null {
      const leave = places.wait(ownerOf(null, address));
      if (!leave) noticed('MAX_CONNECTIONS_PER_USER', { address });
      return leave;
    },

    /** A place for a connection of a user; null when they have no more. */
    async entering(viewer: Viewer, guest: Guest): Promise<Leave | null> {
      const leave = await places.enter(viewer, guest);
      if (!leave) noticed('MAX_CONNECTIONS_PER_USER', { userId: viewer.id });
      return leave;
    },

    /** Of one socket. */
    pace: () => new Pace(limits.socketMessageRate),

    /** A socket sends far more than it may, and is not read for a moment. */
    flooded: (viewer: Viewer | null, address: string | null) =>
      noticed('SOCKET_MESSAGE_RATE', { userId: viewer?.id, address }),

    /** Many connections of an address ask for nothing. */
    crowded: (address: string) => noticed('connections without a request', { address }),

    close(): void {
      places.close();
      counter?.close();
    },
  };
}

/** What a viewer does counts as theirs, and what nobody does as the address's. */
function ownerOf(viewer: Viewer | null, address: string | null): string {
  return viewer ? `user ${viewer.id}` : `address ${address === null ? 'unknown' : clientNetworkOf(address)}`;
}

interface GuardOptions {
  readonly limits: Config['limits'];
  readonly redisUrls: readonly string[] | undefined;
  /** So long Redis may take to answer. */
  readonly countMs: number;
  readonly database: Database;
  /** Names this process. */
  readonly node: string;
  /** Names the cluster: others may use the same Redis. */
  scope(): string;
  readonly log: Log;
  failed(error: unknown): void;
}
