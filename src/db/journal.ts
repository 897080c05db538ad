import { type JournalEvent, sourceOf } from '../realtime/event.ts';
import type { Journal, JournalPage, Now } from '../realtime/journal.ts';
import type { Database } from './database.ts';
import type { Epochs } from './epochs.ts';

/** Events that are committed and not yet relayed are remembered for a new subscription up to this many. */
const pendingLimit = 10_000;

/** An event's columns under the names of a {@link JournalEvent}; the table is `e`. What is replayed has no `trace`. */
export const eventColumns = `e.position::float8 as position, e.topic, e.prev::float8 as prev, e.id::text as id, e.kind,
  e.event_type as type, e.recipient_id as "recipientId", e.subject, e.erases, e.control, e.payload, e.trace,
  floor(extract(epoch from e.created_at) * 1000)::float8 as "writtenAt"`;

export type EventRow = JournalEvent;

/** Payloads come as text from the table, and as what they are out of a larger JSON. */
export function toEvent({ erasedBy, ...row }: EventRow): JournalEvent {
  const payload = parsed(row.payload);
  return erasedBy == null ? { ...row, payload } : { ...row, payload, erasedBy: parsed(erasedBy) };
}

const parsed = (payload: unknown) => (typeof payload === 'string' ? JSON.parse(payload) : payload);

/** The journal in PostgreSQL. Each read is one statement, so all of it is of one snapshot. */
export function createJournal({ database, epochs }: JournalOptions): Journal {
  return {
    get epoch() {
      return epochs.current.id;
    },

    async now(): Promise<Now> {
      const [row] = await database.query<{ head: number; pending: string; at: number }>(
        `select head::float8 as head, (extract(epoch from clock_timestamp()) * 1000)::float8 as at, (select coalesce(json_agg(event_id), '[]') from (
           select event_id from realtime_outbox order by id limit ${pendingLimit}) waiting)::text as pending
           from realtime_relay where part = 0`,
      );
      const pending = (JSON.parse(row!.pending) as string[]).map(sourceOf);
      return { head: row!.head, at: row!.at, pending: new Set(pending) };
    },

    async read(topics: readonly string[], after: number, limit: number): Promise<JournalPage> {
      // Each topic is read that far, and all of them only up to where the shortest read ends.
      const each = Math.ceil(limit / Math.sqrt(topics.length));
      return toRun(await database.query<TopicRow>(readTopics, [topics, after, each]), after, each);
    },

    async stretch(after: number, limit: number): Promise<JournalPage> {
      const rows = await database.query<StretchRow>(
        `select (select head from realtime_relay where part = 0)::float8 as head,
                (select floor from realtime_relay where part = 0)::float8 as floor,
                (select id from realtime_epochs where until is null) as epoch, ${eventColumns}
           from (select 1) one left join lateral (
             select * from realtime_events where position > $1 order by position, topic limit $2) e on true
          order by e.position, e.topic`,
        [after, limit],
      );
      // Whoever leads has found another database there.
      const { epoch, head, floor } = rows[0]!;
      if (epoch !== epochs.current.id) {
        await epochs.settle();
        return { events: [], upTo: after, floor: 0 };
      }
      const events = rows.filter(({ position }) => position !== null).map(toEvent);
      const isWhole = events.length < limit;
      // A page may end within an event of several topics: what of it has been read comes again.
      const upTo = isWhole ? head : events.at(-1)!.position - 1;
      return { events, upTo: Math.max(after, upTo), floor };
    },
  };
}

interface JournalOptions {
  readonly database: Database;
  readonly epochs: Pick<Epochs, 'current' | 'settle'>;
}

interface StretchRow extends EventRow {
  head: number;
  floor: number;
  epoch: string;
}

interface TopicRow extends EventRow {
  /** The journal's. */
  head: number;
  topicHead: number;
  asked: string;
}

/**
 * An event that is in several of the topics comes by the first of them. What a later event has taken back is told
 * together with that one, also while that one still waits.
 */
const readTopics = `
with erasing as materialized (select subject, topics, payload from realtime_outbox where erases)
select (select head from realtime_relay where part = 0)::float8 as head, asked, coalesce(h.head, 0)::float8 as "topicHead",
       e.*
  from unnest($1::text[]) with ordinality asks(asked, place)
       left join realtime_topics h on h.topic = asked
       left join lateral (
         select e.position::float8 as position, e.topic, e.prev::float8 as prev, e.id::text as id, e.kind,
                e.event_type as type, e.recipient_id as "recipientId", e.subject, e.erases, e.control,
                e.payload::text as payload,
                coalesce((select x.payload from realtime_events x
                           where x.topic = e.topic and x.subject = e.subject and x.erases and x.position > e.position
                           limit 1),
                         (select x.payload from erasing x where x.subject = e.subject and e.topic = any(x.topics) limit 1))::text as "erasedBy",
                floor(extract(epoch from e.created_at) * 1000)::float8 as "writtenAt"
           from (select * from realtime_events
                  where topic = asked and position > $2 order by position limit $3) e) e on true
 order by e.position, place`;

function toRun(rows: readonly TopicRow[], after: number, limit: number): JournalPage {
  let upTo = rows[0]!.head;
  let floor = 0;
  for (const ofTopic of byTopic(rows)) {
    floor = Math.max(floor, goneOf(ofTopic, after, limit));
    // A topic that fills its page says nothing about what is behind it.
    if (ofTopic.length === limit) upTo = Math.min(upTo, ofTopic.at(-1)!.position ?? upTo);
  }
  const events = new Map<number, JournalEvent>();
  for (const row of rows) {
    if (row.position === null || row.position > upTo || events.has(row.position)) continue;
    events.set(row.position, toEvent(row));
  }
  return { events: [...events.values()], upTo, floor };
}

/** The chain tells up to where something is gone: each event's `prev`, and the head of a topic that ends before it. */
function goneOf(rows: readonly TopicRow[], after: number, limit: number): number {
  let [last, gone] = [after, 0];
  for (const { position, prev } of rows) {
    if (position === null) break;
    if (prev > last) gone = prev;
    last = position;
  }
  const { topicHead } = rows[0]!;
  return rows.length < limit && topicHead > last ? topicHead : gone;
}

function byTopic(rows: readonly TopicRow[]): Iterable<TopicRow[]> {
  const groups = new Map<string, TopicRow[]>();
  for (const row of rows) {
    const group = groups.get(row.asked);
    if (group) group.push(row);
    else groups.set(row.asked, [row]);
  }
  return groups.values();
}
