import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { forbidden, unavailable } from '../errors.ts';
import type { Guard } from '../limits/guard.ts';
import type { ClientAddressOf } from './address.ts';
import { retryAfter, statusOf } from './answer.ts';
import { HttpRefusal } from './body.ts';
import { securityHeaderLines } from './headers.ts';
import { type Present, toJson } from './operation.ts';
import type { IsAllowedOrigin } from './origin.ts';
import { urlOf } from './url.ts';

/** What is to become a WebSocket. Whoever is refused gets a plain answer, as any other request does. */
export function createUpgradeHandler(parts: UpgradeParts) {
  return (request: IncomingMessage, duplex: Duplex, head: Buffer): void => {
    // Without a listener, a client that goes away in the middle would end the process.
    duplex.on('error', () => duplex.destroy());
    admit(request).then(
      () => parts.sockets.upgrade(request, duplex, head),
      (error) => refuse(duplex, error),
    );
  };

  async function admit(request: IncomingMessage): Promise<void> {
    const url = urlOf(request);
    if (url === null) throw new HttpRefusal(400, 'BAD_USER_INPUT', 'That is not an address.');
    if (url.pathname !== '/graphql') {
      throw new HttpRefusal(404, 'NOT_FOUND', `There is nothing at ${url.pathname}.`);
    }
    if (parts.isDraining()) throw unavailable();
    if (!parts.isAllowedOrigin(request.headers.origin, request.headers.host)) {
      throw forbidden('Pages of this origin may not open a WebSocket.');
    }
    await parts.guard.connecting(parts.clientAddressOf(request));
    if (parts.isDraining()) throw unavailable();
  }

  function refuse(duplex: Duplex, error: unknown): void {
    const shown = parts.present(error);
    const status = statusOf(error, shown);
    const body = `${JSON.stringify(toJson({ errors: [shown] }))}\n`;
    const wait = retryAfter(shown);
    // Whoever does not close their side, either, is not waited for.
    duplex.once('finish', () => duplex.destroy());
    duplex.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n` +
        `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
        `${wait === null ? '' : `retry-after: ${wait}\r\n`}${securityHeaderLines}\r\n${body}`,
    );
  }
}

interface UpgradeParts {
  readonly sockets: { upgrade(request: IncomingMessage, duplex: Duplex, head: Buffer): void };
  readonly guard: Pick<Guard, 'connecting'>;
  readonly present: Present;
  readonly clientAddressOf: ClientAddressOf;
  readonly isAllowedOrigin: IsAllowedOrigin;
  isDraining(): boolean;
}
