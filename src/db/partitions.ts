import { type Database, sqlState } from './database.ts';

/** A table of the journal: `realtime_events_<first second>_<seconds>`. */
interface Partition {
  readonly name: string;
  /** Seconds since 1970. */
  readonly start: number;
  readonly end: number;
  /** One that is leaving, or has left, is what somebody began to drop and did not live to see dropped. */
  readonly state: 'attached' | 'leaving' | 'left';
}

/** What is left of the journal. */
export interface Extent {
  /** Everything at or below has been dropped. */
  readonly floor: number;
  /** Since when events may be there, in seconds. */
  readonly ageSeconds: number;
}

/** At least so many seconds are covered in advance. */
const leastAhead = 10;
const longestTend = 60;

/**
 * The journal is partitioned by the time of relaying. Partitions are made in advance, and dropped whole. Whatever is
 * done here may be done by several nodes at once, and may end at any point: whoever comes next goes on.
 */
export class Partitions {
  /** How often they have to be tended at least, for none ever to be missing. */
  readonly tendMs: number;
  readonly #widthSeconds: number;
  readonly #database: Database;
  readonly #retentionSeconds: number;

  constructor({ database, retentionSeconds }: { database: Database; retentionSeconds: number }) {
    this.#database = database;
    this.#retentionSeconds = retentionSeconds;
    this.#widthSeconds = widths.findLast((width) => width * 4 <= retentionSeconds) ?? widths[0]!;
    this.tendMs = Math.min(this.#widthSeconds, longestTend) * 1_000;
  }

  /** Makes those that are missing for now and for a while ahead, whatever the clock and the width were before. */
  async ensure(): Promise<void> {
    const width = this.#widthSeconds;
    const { now, partitions } = await this.#look();
    const attached = partitions.filter(({ state }) => state !== 'left');
    const until = now + Math.max(width * 2, leastAhead);
    for (let start = Math.floor(now / width) * width; start < until; ) {
      const here = attached.find((partition) => partition.start <= start && start < partition.end);
      const next = attached.find((partition) => partition.start > start)?.start ?? Number.POSITIVE_INFINITY;
      const end = here?.end ?? Math.min(next, (Math.floor(start / width) + 1) * width);
      if (!here) await this.#make(start, end);
      start = end;
    }
  }

  /** Drops the oldest whose every event is older than the retention. False when there is none. */
  async dropOldest(): Promise<boolean> {
    const { now, partitions } = await this.#look();
    const isOver = ({ state, end }: Partition) => state === 'leaving' || end <= now - this.#retentionSeconds;
    const over = partitions.filter(isOver);
    // Only one can be leaving at a time.
    const oldest = over.find(({ state }) => state !== 'attached') ?? over[0];
    if (!oldest || (oldest.state === 'attached' && !(await this.#raiseFloor(oldest)))) return false;
    await this.#detach(oldest);
    await this.#database.queryAside(`drop table if exists ${oldest.name}`);
    return true;
  }

  async extent(): Promise<Extent> {
    const { now, floor, partitions } = await this.#look();
    const [oldest] = partitions.filter(({ state }) => state === 'attached');
    return { floor, ageSeconds: oldest ? Math.max(0, now - oldest.start) : 0 };
  }

  /** Attached, and not made as a partition: that would hold up everybody behind the slowest reader. */
  async #make(start: number, end: number): Promise<void> {
    const name = `realtime_events_${start}_${end - start}`;
    try {
      // Without the lock, two nodes would both find it missing.
      await this.#database.queryAside(`do $$ begin
        perform pg_advisory_xact_lock(${lockKey});
        if to_regclass('${name}') is not null then return; end if;
        create table ${name} (like realtime_events including all) with (fillfactor = ${fillFactors[this.#database.kind]});
        alter table realtime_events attach partition ${name}
          for values from (to_timestamp(${start})) to (to_timestamp(${end}));
      end $$`);
    } catch (error) {
      // Another node, which keeps events for longer or less long, was faster.
      if (sqlState(error) !== overlapping) throw error;
    }
  }

  /**
   * What is to be dropped is said before it is. False when something in it may not have been told yet: then it stays,
   * whatever its age.
   */
  async #raiseFloor({ name }: Partition): Promise<boolean> {
    const raised = await this.#database.queryAside(
      `update realtime_relay set floor = greatest(floor, last.position)
         from (select coalesce(max(position), 0) as position from ${name}) last
        where part = 0 and published >= last.position returning floor`,
    );
    return raised.length > 0;
  }

  /**
   * Takes it out of the journal without ever standing in the way: what reads it is waited for, and what comes
   * meanwhile does not see it any more. Dropping it at once would hold up everybody behind the slowest reader.
   */
  async #detach({ name, state }: Partition): Promise<void> {
    if (this.#database.kind === 'embedded' || state === 'left') return;
    const how = state === 'leaving' ? 'finalize' : 'concurrently';
    await this.#database.queryAside(`alter table realtime_events detach partition ${name} ${how}`);
  }

  /** The oldest first. */
  async #look(): Promise<{ now: number; floor: number; partitions: Partition[] }> {
    const rows = await this.#database.queryAside<Row>(lookAtPartitions);
    const partitions = rows.flatMap(({ name, isLeaving }): Partition[] => {
      if (name === null) return [];
      const [start, seconds] = name.split('_').slice(-2).map(Number) as [number, number];
      const state = isLeaving === null ? 'left' : isLeaving ? 'leaving' : 'attached';
      return [{ name, start, end: start + seconds, state }];
    });
    partitions.sort((one, other) => one.start - other.start);
    return { ...rows[0]!, partitions };
  }
}

interface Row {
  readonly now: number;
  readonly floor: number;
  readonly name: string | null;
  readonly isLeaving: boolean | null;
}

const lookAtPartitions = `
select extract(epoch from clock_timestamp())::float8 as now, r.floor::float8 as floor, c.relname::text as name,
       i.inhdetachpending as "isLeaving"
  from realtime_relay r
       join pg_class journal on journal.oid = 'realtime_events'::regclass
       left join pg_class c on c.relnamespace = journal.relnamespace and c.relkind = 'r'
                           and c.relname ~ '^realtime_events_[0-9]+_[0-9]+$'
       left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = journal.oid
 where r.part = 0`;

const lockKey = 7_204_113_319;

/** SQLSTATE invalid_object_definition. */
const overlapping = '42P17';

/**
 * Events are counted as delivered soon after they were written: with room beside each no index changes. To the embedded
 * database twice as many pages cost more than they save.
 */
const fillFactors = { postgres: 50, embedded: 100 } as const;

/** A partition holds at most a quarter of the retention. Seconds. */
const widths = [1, 10, 60, 600, 3_600, 21_600, 86_400];
