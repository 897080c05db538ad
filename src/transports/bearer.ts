import type { IncomingMessage } from 'node:http';
import { unauthenticated } from '../errors.ts';

/** @throws UNAUTHENTICATED for a header that is no bearer token. */
export function tokenOf({ headers: { authorization } }: IncomingMessage): string | null {
  if (!authorization) return null;
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
  if (!token) throw unauthenticated('The header `Authorization` is not a bearer token.');
  return token;
}
