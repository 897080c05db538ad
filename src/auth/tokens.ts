import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { isText, isUserId } from '../domain/input.ts';
import type { Role } from '../domain/viewer.ts';
import { Refusal, unauthenticated, unavailable } from '../errors.ts';

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
}

/** Which algorithms are taken depends on the kind of key alone, never on what a token asks for. */
export function createTokens({ secret, jwksUrl, issuer, audience }: TokenOptions): Tokens {
  const demands = { issuer, audience, requiredClaims: ['sub', 'exp'] };
  if (jwksUrl) {
    const keys = createRemoteJWKSet(new URL(jwksUrl));
    const algorithms = ['RS256', 'ES256', 'EdDSA'];
    return {
      verify: (token) => claimsOf(jwtVerify(token, keys, { ...demands, algorithms })),
      sign: null,
    };
  }
  const key = new TextEncoder().encode(secret);
  return {
    verify: (token) => claimsOf(jwtVerify(token, key, { ...demands, algorithms: ['HS256'] })),
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

async function claimsOf(verification: Promise<{ payload: JWTPayload }>): Promise<Claims> {
  const { payload } = await verification.catch((error) => {
    throw refusalOf(error);
  });
  const { sub, exp, iat, name, picture, roles } = payload;
  if (!isUserId(sub!)) throw unauthenticated('The token names no acceptable user.');
  return {
    userId: sub!,
    name: textOf(name),
    picture: textOf(picture),
    roles: Array.isArray(roles) ? known.filter((role) => roles.includes(role)) : [],
    issuedAt: iat === undefined ? new Date() : new Date(iat * 1_000),
    expiresAt: exp! * 1_000,
  };
}

/** A claim that says nothing, or nothing that can be kept, counts as left out. */
function textOf(claim: unknown): string | undefined {
  return typeof claim === 'string' && claim.trim() !== '' && isText(claim) ? claim : undefined;
}

const known: readonly Role[] = ['admin', 'service'];

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof errors.JWTExpired) return unauthenticated('The token has expired.');
  const isOurs = error instanceof errors.JOSEError && !aboutKeys.has(error.code);
  // Whatever is not about the token is about fetching the keys.
  return isOurs ? unauthenticated('The token is not valid.') : unavailable();
}

/** jose's codes for an endpoint of keys that does not answer, or not with keys. */
const aboutKeys = new Set(['ERR_JOSE_GENERIC', 'ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID']);
