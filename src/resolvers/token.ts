import type { Context } from '../context.ts';
import { signedIn } from '../domain/viewer.ts';

export const refreshToken = async (
  _root: unknown,
  { token }: { token: string },
  { viewer, refresh }: Context,
) => {
  signedIn(viewer);
  return refresh(token);
};
