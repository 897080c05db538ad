import { emittedOf } from '../domain/event.ts';
import { messageOf } from '../domain/message.ts';
import { plainChangeOf } from '../domain/model-event.ts';
import { type NotificationRow, notificationOf } from '../domain/notification.ts';
import type { Person } from '../domain/user.ts';
import type { JournalEvent, Whisper } from '../realtime/event.ts';
import { eventBlock } from './event-block.ts';

/** A notification as plain clients know it, over REST and in streams. */
export const notificationJson = (row: NotificationRow) => ({
  id: row.id,
  user_id: row.userId,
  title: row.title,
  message: row.message,
  type: row.type,
  category: row.category,
  priority: row.priority,
  data: row.data,
  url: row.url,
  actions: row.actions,
  actor_id: row.actorId,
  is_read: row.isRead,
  read_at: row.readAt,
  expires_at: row.expiresAt,
  created_at: row.createdAt,
  updated_at: row.updatedAt,
});

/** Answers a user as they are now, null where there is none. */
export type FindPerson = (id: string) => Promise<Person | null>;

/** One event as its block in a plain stream. It depends on the event alone: it is made once for all viewers. */
export function blockOf(event: JournalEvent | Whisper, findPerson: FindPerson): string | Promise<string> {
  if (!('position' in event) || event.kind === 'emitted')
    return eventBlock(event.type, emittedOf(event).payload);
  switch (event.kind) {
    case 'notification':
      return eventBlock('notification', notificationJson(notificationOf(event)));
    case 'message':
      return messageBlock(event, findPerson);
    default:
      return changeBlock(event);
  }
}

async function messageBlock(event: JournalEvent, findPerson: FindPerson): Promise<string> {
  const { senderId, ...row } = messageOf(event);
  const sender = row.sender ?? (senderId === null ? null : await findPerson(senderId));
  return eventBlock('message', {
    id: row.id,
    channel: event.recipientId,
    sender: sender && { id: sender.id, name: sender.name, avatar_url: sender.avatarUrl },
    body: row.body,
    data: row.data,
    client_id: row.clientId,
    reply_to_id: row.replyToId,
    edited_at: row.editedAt,
    deleted_at: row.deletedAt,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
  });
}

function changeBlock(event: JournalEvent): string {
  const { model, recordId, action, data, occurredAt } = plainChangeOf(event);
  return eventBlock('model_updated', { model, id: recordId, action, data, timestamp: occurredAt });
}
