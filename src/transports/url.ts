import type { IncomingMessage } from 'node:http';

const base = 'http://localhost';

/** What is asked for; null for what is no address, `//` for one. */
export function urlOf({ url = '/' }: IncomingMessage): URL | null {
  return URL.canParse(url, base) ? new URL(url, base) : null;
}
