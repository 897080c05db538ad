import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { canonicalAddress, createMembership } from '../lib/network.ts';

/** The address of the client behind a request; null where its connection is gone already. */
export type ClientAddressOf = (request: IncomingMessage) => string | null;

/**
 * The peer's address, or what the peer says where it is a trusted proxy: the right-most address of
 * `X-Forwarded-For` that is not one of theirs. What stands left of it was written by the client. Where all are
 * trusted it is the left-most, and where a proxy has written something else than an address it is that proxy.
 */
export function createClientAddressOf(trustedProxies: readonly string[] = []): ClientAddressOf {
  const isTrusted = createMembership(trustedProxies);
  return ({ socket, headers }) => {
    let client = canonicalAddress(socket.remoteAddress ?? '');
    const forwarded = headers['x-forwarded-for'];
    if (client === null || forwarded === undefined) return client;
    const hops = String(forwarded).split(',');
    while (isTrusted(client) && hops.length > 0) {
      const next = addressIn(hops.pop()!);
      if (next === null) break;
      client = next;
    }
    return client;
  };
}

/** Some proxies write the port as well: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function addressIn(hop: string): string | null {
  const text = hop.trim();
  if (isIPv6(text)) return canonicalAddress(text);
  const [, bracketed, plain] = /^(?:\[(.+)\]|([^:]+))(?::\d+)?$/.exec(text) ?? [];
  return canonicalAddress(bracketed ?? plain ?? '');
}
