import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { isText, isUserId } from '../domain/input.ts';
import type { Role } from '../domain/viewer.ts';
import { Refusal, unauthenticated, unavailable } from '../errors.ts';
import { createKeys } from './keys.ts';

/** What a valid token says. */
export interface Claims {
  readonly userId: string;
  readonly name: string | undefined;
  readonly picture: string | undefined;
  readonly roles: readonly Role[];
  readonly issuedAt: Date;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface Tokens {
  /** @throws UNAUTHENTICATED, UNAVAILABLE when the keys cannot be fetched. */
  verify(token: string): Promise<Claims>;
  /** Null where tokens are signed elsewhere. */
  readonly sign: ((claims: NewToken) => Promise<string>) | null;
}

export interface NewToken {
  readonly userId: string;
  readonly name?: string | undefined;
  readonly roles: readonly Role[];
  readonly lifetimeMs: number;
}

export interface TokenOptions {
  /** HS256. */
  readonly secret?: string | undefined;
  /** RS256, ES256 and EdDSA instead. */
  readonly jwksUrl?: string | undefined;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  /** Keys could not be fetched, or not be used. */
  readonly failed?: (error: unknown) => void;
}

/** A header of HTTP has room for no longer one. */
const longestToken = 16_384;
/** A clock that signs may be so far ahead of ours. Nothing is added to the end of a token. */
const clockTolerance = '5 s';

/** Which algorithms are taken depends on the kind of key alone, never on what a token asks for. */
export function createTokens({ secret, jwksUrl, issuer, audience, failed = () => {} }: TokenOptions): Tokens {
  const demands = { issuer, audience, requiredClaims: ['sub', 'exp'], clockTolerance };
  if (jwksUrl) {
    const keys = createKeys({ url: jwksUrl, failed });
    const algorithms = ['RS256', 'ES256', 'EdDSA'];
    return {
      verify: (token) => claimsOf(token, () => jwtVerify(token, keys, { ...demands, algorithms }), failed),
      sign: null,
    };
  }
  const key = new TextEncoder().encode(secret);
  return {
    verify: (token) =>
      claimsOf(token, () => jwtVerify(token, key, { ...demands, algorithms: ['HS256'] }), failed),
    sign: ({ userId, name, roles, lifetimeMs }) => {
      const token = new SignJWT({ ...(name ? { name } : {}), ...(roles.length > 0 ? { roles } : {}) })
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject(userId)
        .setIssuedAt()
        .setExpirationTime(new Date(Date.now() + lifetimeMs));
      if (issuer) token.setIssuer(issuer);
      if (audience) token.setAudience(audience);
      return token.sign(key);
    },
  };
}

async function claimsOf(
  token: string,
  verify: () => Promise<{ payload: JWTPayload }>,
  failed: (error: unknown) => void,
): Promise<Claims> {
  if (token.length > longestToken) throw unauthenticated('The token is too long.');
  const { payload } = await verify().catch((error) => {
    throw refusalOf(error, failed);
  });
  const { sub, exp, iat, name, picture, roles } = payload;
  const now = Date.now();
  const expiresAt = exp! * 1_000;
  if (expiresAt <= now) throw expired();
  if (typeof sub !== 'string' || !isUserId(sub)) throw unauthenticated('The token names no acceptable user.');
  return {
    userId: sub,
    name: textOf(name),
    picture: textOf(picture),
    roles: Array.isArray(roles) ? known.filter((role) => roles.includes(role)) : [],
    // What is said to be of the future would outdo everything until then.
    issuedAt: new Date(Math.max(0, Math.min(now, (iat ?? Number.POSITIVE_INFINITY) * 1_000))),
    expiresAt,
  };
}

/** A claim that says nothing, or nothing that can be kept, counts as left out. */
function textOf(claim: unknown): string | undefined {
  return typeof claim === 'string' && claim.trim() !== '' && isText(claim) ? claim : undefined;
}

const known: readonly Role[] = ['admin', 'service'];

const expired = () => unauthenticated('The token has expired.');

function refusalOf(error: unknown, failed: (error: unknown) => void): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof errors.JWTExpired) return expired();
  if (error instanceof errors.JOSEError) return unauthenticated('The token is not valid.');
  // The token names a key that cannot be used, which is for the operator to mend.
  failed(error);
  return unavailable();
}
