import type { JournalEvent } from '../realtime/event.ts';
import type { Batch, Lease, Ledger } from '../realtime/relay.ts';
import { type Database, isAway, sqlState } from './database.ts';
import type { Epochs } from './epochs.ts';
import { type EventRow, eventColumns, toEvent } from './journal.ts';
import type { Partitions } from './partitions.ts';

/** Renewed every second. Who was stopped or cut off for longer is followed by another. */
const leaseInterval = "interval '3 s'";
/** How often the outbox is looked through from its very beginning. */
const fullScanMs = 5_000;
const pageSize = 500;

/** Outbox, journal and lease as the relay sees them. */
export function createLedger({ database, partitions, epochs, node }: LedgerOptions): Ledger {
  const low = new LowBound();
  let alone: number | null = null;

  return {
    get epoch() {
      return epochs.current.id;
    },

    async take(): Promise<Lease | null> {
      // Whose session with the database is gone is gone as well; an embedded database has no one else.
      const [row] = await database.queryApart<Lease>(
        `update realtime_relay set fence = fence + 1, holder = $1, holder_pid = pg_backend_pid(),
                expires_at = clock_timestamp() + ${leaseInterval}
          where part = 0 and ($2::boolean or holder is null or holder = $1 or expires_at < clock_timestamp()
                or not exists (select from pg_stat_activity where pid = holder_pid))
          returning fence::float8 as fence, head::float8 as head, published::float8 as published`,
        [node, database.kind === 'embedded'],
      );
      // It may have become another database since, and then nothing may be placed as if it had not.
      if (!row) return null;
      await epochs.settle();
      low.reset();
      return row;
    },

    async move(fence: number, head: number, limit: number): Promise<Batch | null> {
      // Alone, a row is named, so that the one that is set aside is the one that failed.
      alone = limit === 1 ? await firstWaiting() : null;
      const parameters = [fence, head, low.next(), limit, alone];
      const [row] = await retryWithPartition(() => database.queryApart<MovedRow>(moveBatch, parameters));
      if (!row || row.head === null) return null;
      low.seen(row.last, row.xmin, row.xmax, !row.isMore);
      const events = (JSON.parse(row.events) as EventRow[]).map(toEvent);
      return { head: row.head, isMore: row.isMore, events };
    },

    async waiting(): Promise<boolean> {
      const rows = await database.queryApart(`select from realtime_outbox where id > $1 limit 1`, [low.id]);
      return rows.length > 0;
    },

    async setAside(fence: number, error: unknown): Promise<void> {
      await database.queryApart(
        `with lease as (select from realtime_relay where part = 0 and fence = $1 for update),
              moved as (delete from realtime_outbox using lease
                         where id = $3 returning realtime_outbox.*),
              -- Whoever follows the model of rows that are lost is to look anew.
              lost as (insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type,
                                                    subject, erases, control, payload)
                       select gen_random_uuid(), array['${modelTopicPrefix}' || subject], '{all}', '{""}', 'model',
                              'model.truncated', '${modelTopicPrefix}' || subject, true, true, '{}'
                         from moved where kind = 'rows')
         insert into realtime_dead_letters (id, event_id, topics, recipient_types, recipient_ids, kind, event_type,
                                            sender_id, subject, erases, control, payload, rows, changes, created_at, error)
         select id, event_id, topics, recipient_types, recipient_ids, kind, event_type,
                sender_id, subject, erases, control, payload, rows, changes, created_at, $2 from moved`,
        [fence, error instanceof Error ? error.message : String(error), alone],
      );
    },

    faultOf(error: unknown): 'row' | 'size' | null {
      const state = sqlState(error);
      if (state === undefined || isAway(error)) return null;
      // query_canceled: it took longer than statements may
      if (state === '57014') return 'size';
      // data_exception, integrity_constraint_violation, program_limit_exceeded
      return /^(22|23|54)/.test(state) ? 'row' : null;
    },

    async between(from: number, to: number): Promise<readonly JournalEvent[]> {
      const rows = await database.query<EventRow>(
        `select ${eventColumns} from realtime_events e
          where position > $1 and position <= least($2, (select max(position) from (
            select position from realtime_events where position > $1 order by position limit ${pageSize}) page))
          order by position, topic`,
        [from, to],
      );
      return rows.map(toEvent);
    },

    async release(fence: number): Promise<void> {
      await database.queryApart(
        `update realtime_relay set holder = null, expires_at = '-infinity' where part = 0 and fence = $1`,
        [fence],
      );
    },
  };

  async function firstWaiting(): Promise<number | null> {
    const [row] = await database.queryApart<{ id: number | null }>(
      'select min(id)::float8 as id from realtime_outbox',
    );
    return row?.id ?? null;
  }

  /** A partition may be missing after a long pause of the machine. */
  async function retryWithPartition<Result>(statement: () => Promise<Result>): Promise<Result> {
    try {
      return await statement();
    } catch (error) {
      if (sqlState(error) !== '23514' || !String(error).includes('no partition')) throw error;
      await partitions.ensure();
      return statement();
    }
  }
}

interface LedgerOptions {
  readonly database: Database;
  readonly partitions: Partitions;
  readonly epochs: Pick<Epochs, 'current' | 'settle'>;
  /** Names this process, once. */
  readonly node: string;
}

interface MovedRow {
  head: number | null;
  isMore: boolean;
  last: number | null;
  xmin: string;
  xmax: string;
  events: string;
}

/** The topic of a whole model; statements make it themselves. */
const modelTopicPrefix = 'model:';

/**
 * One batch as one statement. The update of the lease row locks it until the commit, so a takeover waits for
 * this batch or voids it; without a lease nothing is deleted and nothing inserted. `prev` chains each topic.
 * All below the head that the leader knows has been published; another head is another database's, a standby's
 * that was promoted without the last batches.
 *
 * A waiting row is one event, or the rows of a table that a statement changed, which are as many events as there is
 * somebody to tell. A batch is of at most $4 changes, or one row of the outbox.
 */
const moveBatch = `
with looked_at as materialized (
  select *, sum(changes) over (order by id) as so_far
    from (select * from realtime_outbox where id > $3 and ($5::bigint is null or id = $5) order by id limit $4) first),
picked as materialized (select * from looked_at where so_far <= $4 or so_far = changes),
told as materialized (
  select p.id as waiting, 0::bigint as place, p.event_id as id, p.kind, p.event_type, p.sender_id, p.subject, p.erases,
         p.control, p.payload, p.trace, p.created_at, p.topics, p.recipient_types, p.recipient_ids
    from picked p where p.kind <> 'rows'
   union all
  select p.id, c.place, c.id, 'model', c.event_type, null, c.subject, c.erases, false, c.payload, p.trace, p.created_at,
         array[c.topic], array[c.recipient_type], array[c.recipient_id]
    from picked p cross join lateral realtime_events_of(p.event_id, p.event_type, p.subject, p.rows) c
   where p.kind = 'rows'),
lease as materialized (
  update realtime_relay
     set head = head + (select count(*) from told), published = $2,
         expires_at = clock_timestamp() + ${leaseInterval}
   where part = 0 and fence = $1 and head = $2 returning head),
moved as (delete from realtime_outbox o using picked p, lease l where o.id = p.id returning o.id),
placed as (
  select t.*, (select head from lease) - (select count(*) from told) + row_number() over (order by t.waiting, t.place) as position
    from told t join moved m on m.id = t.waiting),
rows as materialized (
  select p.position, t.topic,
         coalesce(lag(p.position) over (partition by t.topic order by p.position), h.head, 0) as prev,
         row_number() over (partition by t.topic order by p.position desc) = 1 as last,
         p.id, p.kind, p.event_type, p.sender_id, t.recipient_type, t.recipient_id,
         p.subject, p.erases, p.control, p.payload, p.trace, p.created_at
    from placed p
         cross join lateral unnest(p.topics, p.recipient_types, p.recipient_ids) t(topic, recipient_type, recipient_id)
         left join realtime_topics h on h.topic = t.topic),
inserted as (
  insert into realtime_events (position, topic, prev, id, kind, event_type, channel, sender_id, recipient_type,
                               recipient_id, subject, erases, control, payload, trace, created_at)
  select position, topic, prev, id, kind, event_type, case recipient_type when 'channel' then recipient_id end,
         sender_id, recipient_type, recipient_id, subject, erases, control, payload, trace, created_at
    from rows order by position),
heads as (
  insert into realtime_topics (topic, head) select topic, position from rows where last
  on conflict (topic) do update set head = excluded.head)
select (select head from lease)::float8 as head,
       (select count(*) from looked_at) = $4 or exists (select from looked_at where so_far > $4 and so_far <> changes) as "isMore",
       (select max(id) from picked)::float8 as last,
       pg_snapshot_xmin(pg_current_snapshot())::text as xmin,
       pg_snapshot_xmax(pg_current_snapshot())::text as xmax,
       (select coalesce(json_agg(json_build_object(
          'position', position, 'topic', topic, 'prev', prev, 'id', id, 'kind', kind, 'type', event_type,
          'recipientId', recipient_id, 'subject', subject, 'erases', erases, 'control', control, 'payload', payload,
          'trace', trace, 'writtenAt', floor(extract(epoch from created_at) * 1000)) order by position, topic), '[]') from rows)::text as events`;

/**
 * Below it the outbox is empty for good, so that a scan need not step over what has been deleted there. An id
 * can still appear late while a transaction runs that was running when a higher one was moved. As a
 * transaction takes its id a moment before it is seen as running, now and then all is looked through anyway.
 */
class LowBound {
  id = 0;
  #candidate: { id: number; xmax: bigint } | undefined;
  #lookedThroughAt = 0;

  /** Another database, a promoted standby, may give out ids anew. */
  reset(): void {
    this.id = 0;
    this.#candidate = undefined;
  }

  next(): number {
    const now = performance.now();
    if (now - this.#lookedThroughAt < fullScanMs) return this.id;
    this.#lookedThroughAt = now;
    return 0;
  }

  /** `isAll`: the batch took everything that its snapshot showed. */
  seen(last: number | null, xmin: string, xmax: string, isAll: boolean): void {
    if (isAll && this.#candidate && BigInt(xmin) >= this.#candidate.xmax) {
      this.id = Math.max(this.id, this.#candidate.id);
      this.#candidate = undefined;
    }
    if (last !== null) this.#candidate ??= { id: last, xmax: BigInt(xmax) };
  }
}
