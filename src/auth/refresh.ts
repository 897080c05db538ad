import type { Viewer } from '../domain/viewer.ts';
import { badInput, forbidden } from '../errors.ts';
import type { Authenticate, Authenticated } from './authenticate.ts';

/**
 * Has a connection stay for as long as another token of its viewer says, with that token's roles. Answers when it
 * expires.
 * @throws UNAUTHENTICATED, UNAVAILABLE, FORBIDDEN for a token of somebody else; then the one before holds.
 */
export type Refresh = (token: string) => Promise<Date>;

/** A connection that is signed in. */
interface SignedIn {
  readonly viewer: Viewer | null;
  /** Resolves when nothing is done any more that only the token before allowed. */
  renew(viewer: Authenticated): Promise<void>;
}

/** The last instant that our DateTime can tell; tokens may claim later ones. */
const latest = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export function createRefresh(connection: SignedIn, authenticate: Authenticate): Refresh {
  // One after the other, so that of two the one holds that was sent later.
  let last: Promise<unknown> = Promise.resolve();

  return (token) => {
    const refreshed = last.then(() => refresh(token));
    last = refreshed.catch(() => {});
    return refreshed;
  };

  async function refresh(token: string): Promise<Date> {
    const renewed = await authenticate(token);
    if (renewed.id !== connection.viewer?.id) throw forbidden("The token is another user's.");
    await connection.renew(renewed);
    return new Date(Math.min(renewed.expiresAt, latest));
  }
}

/** Where each request has a token of its own. */
export const cannotRefresh: Refresh = async () => {
  throw badInput('Only a WebSocket keeps its token: send the next request with the new one.');
};
