import { randomBytes } from 'node:crypto';
import { desc, eq, isNull, sql } from 'drizzle-orm';
import type { Epoch } from '../realtime/position.ts';
import { type Database, sqlState, type Transaction } from './database.ts';
import { realtimeEpochs, realtimeRelay } from './tables.ts';

/**
 * The epochs of the journal. A new one begins when the database has become another one: restored from a dump, or
 * promoted from a standby that may have missed the last events. Positions of the earlier epoch stay good up to
 * the head that was found.
 */
export class Epochs {
  readonly #database: Database;
  #all: readonly Epoch[] = [];
  #settling: Promise<void> | undefined;
  #changed: (all: readonly Epoch[], until: number) => void = () => {};

  private constructor(database: Database) {
    this.#database = database;
  }

  static async open(database: Database): Promise<Epochs> {
    const epochs = new Epochs(database);
    await epochs.settle();
    return epochs;
  }

  /** Newest first. */
  get all(): readonly Epoch[] {
    return this.#all;
  }

  get current(): Epoch {
    return this.#all.find(({ until }) => until === null)!;
  }

  /** Has it told when another epoch has become the current one, and up to where what was known is a part of it. */
  onChange(tell: (all: readonly Epoch[], until: number) => void): void {
    this.#changed = tell;
  }

  /** Looks at which database this is. Whoever leads does before its first batch: the head it finds is the end. */
  settle(): Promise<void> {
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  async #settle(): Promise<void> {
    const identity = await identify(this.#database);
    const rows = await this.#database.transaction(async (tx) => {
      const { head, current } = await lockCurrent(tx);
      const isSame =
        current?.systemIdentifier === identity.systemIdentifier && current.timelineId === identity.timelineId;
      if (!isSame) await replace(tx, current, head, identity);
      return tx.select().from(realtimeEpochs).orderBy(desc(realtimeEpochs.beganAt));
    });
    const before = this.#all.length === 0 ? undefined : this.current.id;
    this.#all = rows.map(({ id, key, until }) => ({ id, key: Buffer.from(key, 'hex'), until }));
    if (before !== undefined && before !== this.current.id) this.#changed(this.#all, this.#endOf(before));
  }

  /** Up to where the life of an epoch is a part of the current one; of one that nobody knows of, nothing is. */
  #endOf(id: string): number {
    const index = this.#all.findIndex((epoch) => epoch.id === id);
    return index < 0 ? 0 : Math.min(...this.#all.slice(1, index + 1).map(({ until }) => until!));
  }
}

/**
 * Begins a new epoch although the database seems to be the same: for one that was restored into the same server.
 * Answers the head that was found: positions up to it stay good. Whoever relays loses the lease, and finds out.
 */
export async function beginEpoch(database: Database): Promise<number> {
  const identity = await identify(database);
  return database.transaction(async (tx) => {
    const { head, current } = await lockCurrent(tx);
    await replace(tx, current, head, identity);
    await tx
      .update(realtimeRelay)
      .set({ fence: sql`${realtimeRelay.fence} + 1`, holder: null, expiresAt: sql`'-infinity'` })
      .where(eq(realtimeRelay.part, 0));
    return head;
  });
}

type EpochRow = typeof realtimeEpochs.$inferSelect;

/** Nothing is relayed until the transaction ends. */
async function lockCurrent(tx: Transaction): Promise<{ head: number; current: EpochRow | undefined }> {
  const [relay] = await tx.select().from(realtimeRelay).where(eq(realtimeRelay.part, 0)).for('update');
  const [current] = await tx.select().from(realtimeEpochs).where(isNull(realtimeEpochs.until));
  return { head: relay!.head, current };
}

async function replace(
  tx: Transaction,
  current: EpochRow | undefined,
  head: number,
  identity: Identity,
): Promise<void> {
  if (current) await tx.update(realtimeEpochs).set({ until: head }).where(eq(realtimeEpochs.id, current.id));
  const id = randomBytes(8).toString('hex');
  // Not the transaction's time: it may have begun before another that ended first.
  const beganAt = sql`clock_timestamp()`;
  await tx.insert(realtimeEpochs).values({ id, key: randomBytes(32).toString('hex'), ...identity, beganAt });
}

interface Identity {
  readonly systemIdentifier: string;
  readonly timelineId: number;
}

/**
 * Who the database is. The timeline is the one that is written to: the control file knows of a promotion only
 * after the next checkpoint. Some hosts do not tell the system's identifier; then it never changes.
 */
async function identify(database: Database): Promise<Identity> {
  const [{ timeline }] = (await database.query<{ timeline: string }>(
    'select pg_walfile_name(pg_current_wal_lsn()) as timeline',
  )) as [{ timeline: string }];
  return {
    systemIdentifier: await systemIdentifier(database),
    timelineId: Number.parseInt(timeline.slice(0, 8), 16),
  };
}

async function systemIdentifier(database: Database): Promise<string> {
  try {
    const [row] = await database.query<{ id: string }>(
      'select system_identifier::text as id from pg_control_system()',
    );
    return row!.id;
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    return 'not told';
  }
}
