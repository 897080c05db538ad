import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { unauthenticated } from '../errors.ts';

/** @throws UNAUTHENTICATED for a header that is no bearer token. */
export function tokenOf({ headers: { authorization } }: IncomingMessage): string | null {
  if (!authorization) return null;
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
  if (!token) throw unauthenticated('The header `Authorization` is not a bearer token.');
  return token;
}

/** Without telling by the time that it takes how much of it is right. */
export function isSameToken(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
