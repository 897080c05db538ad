import type { Database } from './database.ts';

/**
 * The journal is partitioned by the time of relaying. A partition's name says what it holds:
 * `realtime_events_<first second>_<seconds>`.
 */
export class Partitions {
  readonly #database: Database;
  readonly #retentionSeconds: number;
  readonly #widthSeconds: number;

  constructor({ database, retentionSeconds }: { database: Database; retentionSeconds: number }) {
    this.#database = database;
    this.#retentionSeconds = retentionSeconds;
    this.#widthSeconds = widths.findLast((width) => width * 4 <= retentionSeconds) ?? widths[0]!;
  }

  /** Makes those for now and for a while ahead. Two nodes at once do no harm. */
  async ensure(): Promise<void> {
    const { now, partitions } = await this.#look();
    const width = this.#widthSeconds;
    const end = Math.max(0, ...partitions.map((partition) => partition.end));
    for (
      let start = Math.max(Math.floor(now / width) * width, end);
      start < now + width * 2;
      start += width
    ) {
      // Without the lock, two nodes would both find it missing.
      await this.#database.queryApart(`do $$ begin
        perform pg_advisory_xact_lock(${lockKey});
        create table if not exists realtime_events_${start}_${width} partition of realtime_events
          for values from (to_timestamp(${start})) to (to_timestamp(${start + width}));
      end $$`);
    }
  }

  /**
   * Drops those whose every event is older than the retention. The floor is raised in the same statement, and
   * nobody waits long: whoever holds a partition makes this try again later.
   */
  async drop(): Promise<void> {
    const { now, partitions } = await this.#look();
    for (const { name, end } of partitions) {
      if (end > now - this.#retentionSeconds) continue;
      await this.#database.queryApart(`do $$ begin
        set local lock_timeout = '500ms';
        update realtime_relay set floor = greatest(floor, (select coalesce(max(position), 0) from ${name}));
        drop table ${name};
      end $$`);
    }
  }

  async #look(): Promise<{ now: number; partitions: { name: string; end: number }[] }> {
    const rows = await this.#database.queryApart<{ now: number; name: string | null }>(
      `select extract(epoch from clock_timestamp())::float8 as now, inhrelid::regclass::text as name
         from (select 1) one left join pg_inherits on inhparent = 'realtime_events'::regclass`,
    );
    const partitions = rows.flatMap(({ name }) => {
      const [, start, width] = /_(\d+)_(\d+)$/.exec(name ?? '') ?? [];
      return name && start && width ? [{ name, end: Number(start) + Number(width) }] : [];
    });
    return { now: rows[0]!.now, partitions };
  }
}

const lockKey = 7_204_113_319;

/** A partition holds at most a quarter of the retention. Seconds. */
const widths = [1, 10, 60, 600, 3_600, 21_600, 86_400];
