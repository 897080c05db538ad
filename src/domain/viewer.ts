import { unauthenticated } from '../errors.ts';

export type Role = 'admin' | 'service';

/** Who is asking, as the token says. */
export interface Viewer {
  readonly id: string;
  readonly roles: readonly Role[];
}

/** @throws UNAUTHENTICATED */
export function signedIn(viewer: Viewer | null): Viewer {
  if (viewer === null) throw unauthenticated();
  return viewer;
}
