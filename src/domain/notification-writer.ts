import type { Database } from '../db/database.ts';
import { rowAsJson } from '../db/row-json.ts';
import { notifications } from '../db/tables.ts';
import { writtenTogether } from '../db/together.ts';
import { asTransaction, sayTrace } from '../db/traced.ts';
import type { Tracer } from '../realtime/tracer.ts';

/** A notification that somebody wants to send, with the topic of its recipient. */
export interface NotificationDraft {
  readonly id: string;
  readonly eventId: string;
  readonly topic: string;
  readonly userId: string;
  readonly actorId: string | null;
  readonly dedupeKey: string | null;
  readonly [column: string]: unknown;
}

/** What became of those that are sent by one mutation: all of them, or none. */
export interface WrittenNotifications {
  /** A recipient or actor that does not exist. */
  readonly missing: string | null;
  /** The rows as JSON, in the order of the drafts; null where the recipient has had the `dedupeKey`. */
  readonly rows: readonly (object | null)[];
}

type Drafts = readonly NotificationDraft[];
type TracedDrafts = readonly (NotificationDraft & { readonly trace: string | null })[];

/** Sends notifications, those of one moment together. Many of one mutation go alone. */
export function createNotificationWriter(
  database: Database,
  tracer: Tracer,
): (drafts: Drafts) => Promise<WrittenNotifications> {
  const write = async (calls: readonly TracedDrafts[], lockMs?: number) => {
    const drafts = calls.flatMap((drafts, call) => drafts.map((draft) => ({ call, ...draft })));
    const statement = { text: sendNotifications, parameters: [JSON.stringify(drafts)] };
    const statements = [...sayTrace(drafts), statement];
    const [row] = await database.pipeline<{ written: string }>(statements, lockMs);
    return JSON.parse(row!.written) as WrittenNotifications[];
  };
  const together = writtenTogether(write);
  return (drafts) =>
    asTransaction(tracer, async (trace) => {
      const traced = drafts.map((draft) => ({ ...draft, trace }));
      return traced.length === 1 ? together(traced) : (await write([traced]))[0]!;
    });
}

/** In one order of their keys, so that two batches never wait for each other. */
const sendNotifications = `
with drafts as materialized (
  select * from rows from (json_to_recordset($1::text::json) as
         (call int, id uuid, "eventId" uuid, topic text, "userId" text, title text, message text, type text,
          category text, priority text, data jsonb, url text, actions jsonb, "actorId" text,
          "expiresAt" timestamptz, "dedupeKey" text, trace text)) with ordinality),
named as (select call, "userId" as id from drafts union select call, "actorId" from drafts where "actorId" is not null),
missing as materialized (
  select call, min(id) as id from named where not exists (select from users u where u.id = named.id) group by call),
inserted as (
  insert into notifications (id, user_id, title, message, type, category, priority, data, url, actions, actor_id,
                             expires_at, dedupe_key)
  select id, "userId", title, message, type, category, priority, data, url, actions, "actorId",
         "expiresAt", "dedupeKey"
    from drafts where call not in (select call from missing) order by "userId", "dedupeKey"
  on conflict do nothing returning *),
written as materialized (
  select d.*, ${rowAsJson(notifications, 'i')} as row from drafts d join inserted i using (id)),
appended as (
  insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, sender_id,
                               subject, payload, trace)
  select "eventId", array[topic], '{user}', array["userId"], 'notification', 'notification', "actorId",
         'notification:' || id, row, trace
    from written order by ordinality),
calls as (
  select d.call, json_agg(w.row order by d.ordinality) as rows from drafts d left join written w using (id) group by d.call)
select json_agg(json_build_object('missing', m.id, 'rows', c.rows) order by c.call)::text as written
  from calls c left join missing m using (call)`;
