import { v7 as uuid } from 'uuid';
import type { Transaction } from './database.ts';

/** Who an event is for, and the topic that they hear it under. */
export interface Recipient {
  readonly topic: string;
  readonly type: 'all' | 'user' | 'channel';
  readonly id: string | null;
}

/** An event that a domain verb appends. */
export interface NewEvent {
  readonly kind: string;
  readonly type: string;
  readonly recipients: readonly Recipient[];
  readonly payload: object;
  readonly senderId?: string | null;
  readonly subject?: string;
  readonly erases?: boolean;
  readonly control?: boolean;
}

/** As the outbox takes it. */
export type OutboxRow = ReturnType<typeof toRow>;

/** Appends events to the transaction of the fact: they leave with its commit. Answers the events' ids. */
export function append(tx: Transaction, ...events: readonly NewEvent[]): string[] {
  const rows = events.map(toRow);
  tx.waiting.push(...rows);
  return rows.map(({ eventId }) => eventId);
}

function toRow({ recipients, type, senderId, subject, erases, control, ...event }: NewEvent) {
  return {
    ...event,
    eventId: uuid(),
    eventType: type,
    senderId: senderId ?? null,
    subject: subject ?? null,
    erases: erases ?? false,
    control: control ?? false,
    topics: recipients.map(({ topic }) => topic),
    recipientTypes: recipients.map((recipient) => recipient.type),
    recipientIds: recipients.map(({ id }) => id ?? ''),
  };
}

/** Takes the rows as one JSON array. A row's number decides its order among what is committed together. */
export const insertWaiting = `
insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, sender_id, subject,
                             erases, control, payload)
select "eventId", topics, "recipientTypes", "recipientIds", kind, "eventType", "senderId", subject,
       erases, control, payload
  from rows from (json_to_recordset($1::text::json) as
         ("eventId" uuid, topics text[], "recipientTypes" text[], "recipientIds" text[], kind text, "eventType" text,
          "senderId" text, subject text, erases boolean, control boolean, payload jsonb))
       with ordinality
 order by ordinality`;
