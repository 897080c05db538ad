import { hash } from 'node:crypto';
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

/** How many tokens are remembered as good, by their digests, and for how long: a key may be taken back. */
const remembered = 10_000;
const rememberedMs = 60_000;

/** The one way from a token to a viewer, for every wire. A user's row is made when their token is first seen. */
export function createAuthenticate({ tokens, users, isBlocked }: AuthenticateOptions): Authenticate {
  const known = new Map<string, Known>();

  return async (token) => {
    const digest = hash('sha256', token, 'base64');
    const { viewer, provisioned } = recall(digest) ?? (await meet(token, digest));
    await provisioned;
    // Asked last, in the same turn as the answer.
    if (isBlocked(viewer.id)) throw unauthenticated('This user is blocked.');
    return viewer;
  };

  function recall(digest: string): Known | null {
    const found = known.get(digest);
    if (!found) return null;
    const isGood = performance.now() - found.verifiedAt < rememberedMs && Date.now() < found.viewer.expiresAt;
    return isGood ? found : null;
  }

  async function meet(token: string, digest: string): Promise<Known> {
    const claims = await tokens.verify(token);
    const { userId: id, name, picture: avatarUrl, roles, issuedAt, expiresAt } = claims;
    const provisioned = known.get(digest)?.provisioned ?? users.provision({ id, name, avatarUrl, issuedAt });
    const met = { viewer: { id, roles, expiresAt }, provisioned, verifiedAt: performance.now() };
    known.delete(digest);
    known.set(digest, met);
    if (known.size > remembered) known.delete(known.keys().next().value!);
    provisioned.catch(() => known.delete(digest));
    return met;
  }
}

interface Known {
  readonly viewer: Authenticated;
  /** The user's row is there. */
  readonly provisioned: Promise<void>;
  readonly verifiedAt: number;
}

interface AuthenticateOptions {
  readonly tokens: Tokens;
  readonly users: Users;
  isBlocked(userId: string): boolean;
}
