import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';

/**
 * What every answer says to browsers, failures included. HSTS is not among it: it speaks for a whole host, and
 * whoever terminates TLS for that host is the one to say it.
 */
const securityHeaders: ReadonlyMap<string, string> = new Map([
  ['x-content-type-options', 'nosniff'],
  // An address may have a token in it.
  ['referrer-policy', 'no-referrer'],
  ['content-security-policy', contentPolicy({})],
  // The same as `frame-ancestors`, for browsers that do not know it.
  ['x-frame-options', 'DENY'],
  ['cross-origin-opener-policy', 'same-origin'],
  // Of what is asked for without CORS; what is asked for with it goes by CORS_ORIGINS.
  ['cross-origin-resource-policy', 'same-origin'],
  // Answers are about whoever asks, at the moment of asking.
  ['cache-control', 'no-store'],
  // Also where the origin is not allowed, or something on the way would show one page what was meant for another.
  ['vary', 'Origin'],
]);

export function setSecurityHeaders(response: ServerResponse): void {
  for (const [name, value] of securityHeaders) response.setHeader(name, value);
}

/** The same for an answer that is written by hand. */
export const securityHeaderLines = [...securityHeaders]
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

/** Something to look at in a browser, and what it may load and run. */
export interface Page {
  readonly html: string;
  readonly policy: string;
}

export function sendPage(response: ServerResponse, { html, policy }: Page): void {
  response.setHeader('content-security-policy', policy);
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(html);
}

/** A content security policy that allows nothing but what is named, each by its directive. */
export function contentPolicy(allowed: Readonly<Record<string, readonly string[]>>): string {
  const directives = {
    'default-src': ["'none'"],
    'base-uri': ["'none'"],
    'form-action': ["'none'"],
    'frame-ancestors': ["'none'"],
    ...allowed,
  };
  return Object.entries(directives)
    .map(([name, sources]) => `${name} ${sources.join(' ')}`)
    .join('; ');
}

/** Allows one script or style that stands in the page, exactly as it stands there. */
export function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
