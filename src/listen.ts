import { lookup } from 'node:dns/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Patience } from './limits/patience.ts';

/** Sets up one HTTP server; `localhost` may need two. */
export type Equip = (server: Server) => void;

/** How often another free port is tried when the other address of `localhost` has the first one taken. */
const attempts = 10;
/** So many connections may wait to be taken: all clients of a node come at once when another has ended. */
const backlog = 4_096;
/** The head of a request has a token and cookies in it, and nothing that is larger. */
const mostHeadBytes = 16_384;

/**
 * Listens on every address that the host has: `localhost` is 127.0.0.1 for some clients and ::1 for others.
 * Port 0 picks a free one.
 */
export async function listen(
  equip: Equip,
  { port, host, patience }: Place,
): Promise<{ servers: Server[]; port: number }> {
  const addresses = host === 'localhost' ? await addressesOf(host) : [host];
  for (let attempt = 1; ; attempt += 1) {
    const servers: Server[] = [];
    try {
      for (const address of addresses) {
        const server = await start(equip, servers[0] ? portOf(servers[0]) : port, address, patience);
        if (server) servers.push(server);
      }
      if (servers[0]) return { servers, port: portOf(servers[0]) };
      throw new Error(`No address of ${host} can be listened on.`);
    } catch (error) {
      for (const server of servers) server.close();
      if (port !== 0 || attempt === attempts) throw error;
    }
  }
}

async function addressesOf(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true });
  return [...new Set([...found.map(({ address }) => address), '127.0.0.1', '::1'])];
}

/** Null where this machine does not have the address. */
function start(
  equip: Equip,
  port: number,
  address: string,
  { headMs, requestMs, lookMs }: Patience,
): Promise<Server | null> {
  const server = createServer({
    headersTimeout: headMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: lookMs,
    maxHeaderSize: mostHeadBytes,
  });
  equip(server);
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT') resolve(null);
      else reject(error);
    });
    server.listen({ port, host: address, backlog }, () => resolve(server));
  });
}

interface Place {
  readonly port: number;
  readonly host: string;
  readonly patience: Patience;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
