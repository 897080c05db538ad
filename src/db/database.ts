import type { ExtractTablesWithRelations } from 'drizzle-orm';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import type { OutboxRow } from './outbox.ts';
import type * as tables from './tables.ts';

type Tables = typeof tables;
type Relations = ExtractTablesWithRelations<Tables>;

/** Either kind of PostgreSQL, a server's or the embedded one. */
export interface Database {
  readonly kind: 'postgres' | 'embedded';
  /** Drizzle outside any transaction. Not to be kept: it is another one once a connection was lost. */
  readonly orm: Queryable;
  transaction<Result>(work: (tx: Transaction) => Promise<Result>): Promise<Result>;
  /**
   * One transaction in one round trip: nothing waits for the answer of what came before it. Answers the rows of
   * the last statement, JSON columns as text. A lock that is not had within `lockMs` fails it with SQLSTATE 55P03.
   */
  pipeline<Row>(statements: readonly Statement[], lockMs?: number): Promise<Row[]>;
  /** One autocommitted statement. JSON columns come as text. */
  query<Row>(statement: string, parameters?: readonly unknown[]): Promise<Row[]>;
  /** The same on a connection of its own, so that it never waits behind others: for the relay. */
  queryApart<Row>(statement: string, parameters?: readonly unknown[]): Promise<Row[]>;
  /**
   * The same on another one, so that nobody ever waits behind it: for what is done on the side. A lock that is not
   * had within two seconds fails it with SQLSTATE 55P03.
   */
  queryAside<Row>(statement: string, parameters?: readonly unknown[]): Promise<Row[]>;
  /** How busy it is at this moment. */
  readonly load: DatabaseLoad;
  close(): Promise<void>;
}

/** Transactions and their connections, since the start where nothing else is said. */
export interface DatabaseLoad {
  /** That are under way now. */
  readonly busy: number;
  /** That wait for a connection now. */
  readonly waiting: number;
  readonly transactions: number;
  /** For how long all of them together have waited for a connection. */
  readonly waitedSeconds: number;
  /** Of the smallest question, asked lately. */
  readonly roundTripSeconds: number;
}

export interface Statement {
  readonly text: string;
  readonly parameters: readonly unknown[];
}

/** Drizzle, within a transaction or outside of one. */
export type Queryable = PgDatabase<PgQueryResultHKT, Tables, Relations>;

export interface Transaction extends Queryable {
  /** What goes to the outbox with the commit, behind everything else. */
  readonly waiting: OutboxRow[];
}

/**
 * What every session is set to. The journal is read by pages out of an index that has their order. Of a partition that has not been analysed yet the
 * planner believes that there is little, and would sort all that is behind for each page.
 */
export const settings = { enable_bitmapscan: 'off' } as const;

/** The SQLSTATE of whatever a driver or drizzle threw. */
export function sqlState(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string') return cause.code;
  }
  return undefined;
}

/** True when the database itself is away, not the statement wrong. */
export function isAway(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && (away.has(state) || state.startsWith('08'));
}

/** A database that is about to start, with everything else of a machine for one, is waited for. */
const startMs = 15_000;
const retryMs = 250;

/** Tries again while the database is away, for so long that a restart of it is over. */
export async function patiently<Result>(work: () => Promise<Result>): Promise<Result> {
  const deadline = performance.now() + startMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isAway(error) || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

const away = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  // too_many_connections, admin_shutdown, crash_shutdown, cannot_connect_now
  '53300',
  '57P01',
  '57P02',
  '57P03',
]);
