import type { Database } from '../db/database.ts';
import { rowAsJson } from '../db/row-json.ts';
import { messages } from '../db/tables.ts';
import { writtenTogether } from '../db/together.ts';
import { asTransaction, sayTrace } from '../db/traced.ts';
import type { Tracer } from '../realtime/tracer.ts';
import { type ChannelKind, type ChannelRole, standingsThatMay } from './policy.ts';
import { channelTopicPrefix } from './topics.ts';

/** A message that somebody wants to send. */
export interface MessageDraft {
  readonly id: string;
  readonly eventId: string;
  readonly channel: string;
  readonly senderId: string;
  readonly isStaff: boolean;
  readonly body: string;
  readonly data: unknown;
  readonly clientId: string | null;
  /** A UUID. */
  readonly replyToId: string | null;
}

/** What became of it, and what that depended on. */
export interface WrittenMessage {
  /** Null where there is none that the sender may read. */
  readonly channelId: string | null;
  readonly kind: ChannelKind;
  readonly role: ChannelRole | null;
  readonly hasReplyTo: boolean;
  /** They may since a moment ago, when it was not held for them: it is written anew. */
  readonly isEarly: boolean;
  /** The row with its sender, as JSON; null where it was not allowed, or where the `clientId` has been used. */
  readonly message: object | null;
}

/**
 * Sends messages, those of one moment together. The channels are held against changes of their members first:
 * whoever changes members locks for `update`, and the second statement sees what the first had to wait for.
 */
export function createMessageWriter(
  database: Database,
  tracer: Tracer,
): (draft: MessageDraft) => Promise<WrittenMessage> {
  const write = writtenTogether<TracedDraft, WrittenMessage>(async (drafts, lockMs) => {
    const names = drafts.map(({ channel }) => channel);
    const senders = drafts.map(({ senderId }) => senderId);
    const areStaff = drafts.map((draft) => String(draft.isStaff));
    const [row] = await database.pipeline<{ written: string }>(
      [
        ...sayTrace(drafts),
        { text: holdChannels, parameters: [names, senders, areStaff, ...maySend] },
        { text: sendMessages, parameters: [JSON.stringify(drafts), ...maySend, ...mayRead] },
      ],
      lockMs,
    );
    return JSON.parse(row!.written) as WrittenMessage[];
  });
  return (draft) =>
    asTransaction(tracer, async (trace) => {
      let written = await write({ ...draft, trace });
      while (written.isEarly) written = await write({ ...draft, trace });
      return written;
    });
}

type TracedDraft = MessageDraft & { readonly trace: string | null };

const anybody = { id: '', roles: [] };
const staff = { id: '', roles: ['service'] as const };
const maySend = [anybody, staff].map((viewer) => standingsThatMay(viewer, 'send'));
const mayRead = [anybody, staff].map((viewer) => standingsThatMay(viewer, 'read'));

/**
 * In one order, as everywhere: two that each hold what the other wants would wait for each other. Who may not send
 * holds nothing, and waits for nobody: that would tell that the channel is there. What is held is remembered for
 * the statement behind it.
 */
const holdChannels = `
select set_config('realtime.held', coalesce(string_agg(id::text, ','), ''), true) from (
  select id from channels where id in (
    select c.id from unnest($1::text[], $2::text[], $3::text[]) d(name, "senderId", "isStaff")
           join channels c on c.name = d.name
           left join channel_members m on m.channel_id = c.id and m.user_id = d."senderId"
     where concat_ws(' ', c.kind, m.role) = any(case when d."isStaff"::boolean then $5::text[] else $4::text[] end))
   order by id for key share) held`;

const sendMessages = `
with drafts as materialized (
  select * from rows from (json_to_recordset($1::text::json) as
         (id uuid, "eventId" uuid, channel text, "senderId" text, "isStaff" boolean, body text, data jsonb,
          "clientId" text, "replyToId" uuid, trace text)) with ordinality),
placed as materialized (
  select d.*, c.id as "channelId", c.name, c.kind, c.role, may, may and not held as "isEarly", may and held as goes,
         d."replyToId" is null or exists (
           select from messages r where r.id = d."replyToId" and r.channel_id = c.id) as "hasReplyTo"
    from drafts d
         left join lateral (
           select c.id, c.name, c.kind, m.role, s.standing = any(case when d."isStaff" then $3::text[] else $2::text[] end) as may,
                  c.id::text = any(string_to_array(current_setting('realtime.held'), ',')) as held
             from channels c
                  left join channel_members m on m.channel_id = c.id and m.user_id = d."senderId"
                  cross join lateral (select concat_ws(' ', c.kind, m.role) as standing) s
            where c.name = d.channel
              and s.standing = any(case when d."isStaff" then $5::text[] else $4::text[] end)) c on true),
inserted as (
  insert into messages (id, channel_id, sender_id, body, data, client_id, reply_to_id)
  select id, "channelId", "senderId", body, data, "clientId", "replyToId"
    from placed where goes and "hasReplyTo" order by "channelId", "senderId", "clientId"
  on conflict (channel_id, sender_id, client_id) do nothing returning *),
written as materialized (
  select p.*, ${rowAsJson(messages, 'i')} || jsonb_build_object('sender', jsonb_build_object(
           'id', u.id, 'name', u.name, 'avatarUrl', u.avatar_url, 'createdAt', u.created_at)) as message
    from placed p join inserted i using (id) join users u on u.id = i.sender_id),
appended as (
  insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, sender_id,
                               subject, payload, trace)
  select "eventId", array['${channelTopicPrefix}' || "channelId"], '{channel}', array[name], 'message',
         'message.sent', "senderId", 'message:' || id, message, trace
    from written order by ordinality)
select json_agg(json_build_object('channelId', p."channelId", 'kind', p.kind, 'role', p.role,
                                  'hasReplyTo', p."hasReplyTo", 'isEarly', coalesce(p."isEarly", false), 'message', w.message) order by p.ordinality)::text as written
  from placed p left join written w using (id)`;
