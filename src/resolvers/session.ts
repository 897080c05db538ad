import type { Context } from '../context.ts';
import type { Disconnection } from '../domain/session.ts';

export const disconnect = (_root: unknown, disconnection: Disconnection, { sessions, viewer }: Context) =>
  sessions.disconnect(viewer, disconnection);

export const stats = (_root: unknown, _args: unknown, { sessions, viewer }: Context) =>
  sessions.stats(viewer);
