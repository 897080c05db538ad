import type { Context } from '../context.ts';
import type { NewUser, Person } from '../domain/user.ts';
import { signedIn, type Viewer } from '../domain/viewer.ts';

export const viewer = (_root: unknown, _args: unknown, context: Context) => signedIn(context.viewer);

export const viewerUser = async ({ id }: Viewer, _args: unknown, { load }: Context) =>
  (await load.user.load(id))!;

export const user = (_root: unknown, { id }: { id: string }, { users, viewer }: Context) =>
  users.find(viewer, id);

export const online = ({ id }: Person, _args: unknown, { load }: Context) => load.online.load(id);

export const blockUser = (
  _root: unknown,
  { id, blocked }: { id: string; blocked?: boolean | null },
  { users, viewer }: Context,
) => users.block(viewer, id, blocked ?? true);

export const upsertUser = (_root: unknown, input: NewUser, { users, viewer }: Context) =>
  users.upsert(viewer, input);
