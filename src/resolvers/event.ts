import type { Context } from '../context.ts';
import { type EmittedEvent, emittedOf, type NewEmittedEvent } from '../domain/event.ts';
import type { JournalEvent, Whisper } from '../realtime/event.ts';

export const emitEvent = (
  _root: unknown,
  { input }: { input: NewEmittedEvent },
  { events, viewer }: Context,
) => events.emit(viewer, input);

export const eventReceived = (
  _root: unknown,
  { types, after }: { types?: string[] | null; after?: string | null },
  { events, viewer, resume, connectionId }: Context,
) => events.follow(viewer, types ?? null, [after, ...resume], connectionId);

export const eventSender = ({ senderId }: EmittedEvent, _args: unknown, { load }: Context) =>
  senderId === null ? null : load.user.load(senderId);

export const toEmitted = (event: JournalEvent | Whisper) => emittedOf(event);
