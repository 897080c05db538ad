import type { Context } from '../context.ts';
import type { Page, PageArguments } from '../domain/page.ts';
import type { Disconnection, SessionFilter, SessionRow } from '../domain/session.ts';

/** A page and what it was asked with, so that the whole can be counted when that is asked for. */
export interface SessionPage extends Page<SessionRow> {
  readonly filter: SessionFilter;
}

export const viewerSessions = (_root: unknown, _args: unknown, { sessions, viewer, portion }: Context) =>
  portion.read(() => sessions.own(viewer));

export const sessions = async (
  _root: unknown,
  { userId, channel, ...page }: SessionFilter & PageArguments,
  { sessions, viewer, portion }: Context,
): Promise<SessionPage> => {
  const filter = { userId, channel };
  return { ...(await portion.read(() => sessions.list(viewer, filter, page))), filter };
};

export const totalSessions = ({ filter }: SessionPage, _args: unknown, { sessions, viewer }: Context) =>
  sessions.count(viewer, filter);

export const sessionUser = ({ userId }: SessionRow, _args: unknown, { load }: Context) =>
  load.user.load(userId);

export const disconnect = (_root: unknown, disconnection: Disconnection, { sessions, viewer }: Context) =>
  sessions.disconnect(viewer, disconnection);

export const stats = (_root: unknown, _args: unknown, { sessions, viewer }: Context) =>
  sessions.stats(viewer);
