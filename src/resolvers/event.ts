import type { Context } from '../context.ts';
import { type EmittedEvent, emittedOf, type NewEmittedEvent } from '../domain/event.ts';
import type { JournalEvent } from '../realtime/event.ts';

export const emitEvent = (
  _root: unknown,
  { input }: { input: NewEmittedEvent },
  { events, viewer }: Context,
) => events.emit(viewer, input);

export const eventReceived = (
  _root: unknown,
  { types, after }: { types?: string[] | null; after?: string | null },
  { events, viewer, resume }: Context,
) => events.follow(viewer, types ?? null, [after, ...resume]);

export const eventSender = ({ senderId }: EmittedEvent, _args: unknown, { load }: Context) =>
  senderId === null ? null : load.user.load(senderId);

export const toEmitted = (event: JournalEvent) => emittedOf(event);
