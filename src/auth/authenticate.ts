import type { Users } from '../domain/user.ts';
import type { Viewer } from '../domain/viewer.ts';
import { unauthenticated } from '../errors.ts';
import type { Tokens } from './tokens.ts';

/** A viewer and until when the token says so. */
export interface Authenticated extends Viewer {
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export type Authenticate = (token: string) => Promise<Authenticated>;

/** How many tokens are remembered as seen. */
const remembered = 10_000;

/** The one way from a token to a viewer, for every wire. A user's row is made when their token is first seen. */
export function createAuthenticate({ tokens, users, isBlocked }: AuthenticateOptions): Authenticate {
  const seen = new Map<string, Promise<void>>();

  return async (token) => {
    const { userId: id, name, picture: avatarUrl, roles, issuedAt, expiresAt } = await tokens.verify(token);
    const provisioned =
      seen.get(token) ?? remember(token, users.provision({ id, name, avatarUrl, issuedAt }));
    await provisioned;
    // Asked last, in the same turn as the answer.
    if (isBlocked(id)) throw unauthenticated('This user is blocked.');
    return { id, roles, expiresAt };
  };

  function remember(token: string, provisioned: Promise<void>): Promise<void> {
    seen.set(token, provisioned);
    if (seen.size > remembered) seen.delete(seen.keys().next().value!);
    provisioned.catch(() => seen.delete(token));
    return provisioned;
  }
}

interface AuthenticateOptions {
  readonly tokens: Tokens;
  readonly users: Users;
  isBlocked(userId: string): boolean;
}
