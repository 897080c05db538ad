import { v7 as uuid } from 'uuid';
import type { Transaction } from './database.ts';
import { realtimeOutbox } from './tables.ts';

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

/**
 * Appends events within the transaction of the fact. Append last: a row's number decides its order among what
 * is committed together. Answers the events' ids.
 */
export async function append(tx: Transaction, ...events: readonly NewEvent[]): Promise<string[]> {
  if (events.length === 0) return [];
  const rows = events.map(({ recipients, type, senderId, ...event }) => ({
    ...event,
    eventId: uuid(),
    eventType: type,
    senderId: senderId ?? null,
    topics: recipients.map(({ topic }) => topic),
    recipientTypes: recipients.map((recipient) => recipient.type),
    recipientIds: recipients.map(({ id }) => id ?? ''),
  }));
  await tx.insert(realtimeOutbox).values(rows);
  return rows.map(({ eventId }) => eventId);
}
