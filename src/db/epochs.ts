import { randomBytes } from 'node:crypto';
import { desc, eq, isNull } from 'drizzle-orm';
import type { Epoch } from '../realtime/position.ts';
import { type Database, sqlState } from './database.ts';
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
  #changed: (all: readonly Epoch[]) => void = () => {};

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

  /** Has it told when another epoch has become the current one. */
  onChange(tell: (all: readonly Epoch[]) => void): void {
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
      const [relay] = await tx.select().from(realtimeRelay).where(eq(realtimeRelay.part, 0)).for('update');
      const [current] = await tx.select().from(realtimeEpochs).where(isNull(realtimeEpochs.until));
      const isSame =
        current?.systemIdentifier === identity.systemIdentifier && current.timelineId === identity.timelineId;
      if (!isSame) {
        if (current) {
          const ended = { until: relay!.head };
          await tx.update(realtimeEpochs).set(ended).where(eq(realtimeEpochs.id, current.id));
        }
        const id = randomBytes(8).toString('hex');
        await tx.insert(realtimeEpochs).values({ id, key: randomBytes(32).toString('hex'), ...identity });
      }
      return tx.select().from(realtimeEpochs).orderBy(desc(realtimeEpochs.beganAt));
    });
    const before = this.#all.length === 0 ? undefined : this.current.id;
    this.#all = rows.map(({ id, key, until }) => ({ id, key: Buffer.from(key, 'hex'), until }));
    if (before !== undefined && before !== this.current.id) this.#changed(this.#all);
  }
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
