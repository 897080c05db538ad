import { type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ErrorCode } from '../errors.ts';
import { canonicalAddress, createMembership } from '../lib/network.ts';
import type { Guard } from '../limits/guard.ts';
import type { Patience } from '../limits/patience.ts';

/** So many connections of one address may have asked for nothing yet. */
const mostSilent = 100;

/**
 * Lets go of connections that were opened in crowds and ask for nothing, and tells what never became a request.
 * Crowds that ask at once are let be: when a node has ended, everybody behind one address comes at one moment.
 */
export function createHandshakes({ guard, refused, patience, trustedProxies = [] }: HandshakeParts) {
  const isProxy = createMembership(trustedProxies);

  return (server: Server): void => {
    /** By address, since when, in the order of their coming. */
    const silent = new Map<string, Map<Socket, number>>();
    const addressOf = new WeakMap<Socket, string>();

    server.on('connection', (socket: Socket) => {
      const address = canonicalAddress(socket.remoteAddress ?? '');
      if (address === null || isProxy(address)) return;
      addressOf.set(socket, address);
      const sockets = silent.get(address) ?? new Map<Socket, number>();
      silent.set(address, sockets.set(socket, performance.now()));
      socket.once('close', () => forget(socket));
    });
    server.prependListener('request', ({ socket }) => forget(socket));
    server.prependListener('upgrade', ({ socket }) => forget(socket));
    server.on('clientError', refuse);
    const timer = setInterval(look, patience.lookMs).unref();
    server.once('close', () => clearInterval(timer));

    function forget(socket: Socket): void {
      const address = addressOf.get(socket);
      if (address === undefined) return;
      addressOf.delete(socket);
      const sockets = silent.get(address)!;
      sockets.delete(socket);
      if (sockets.size === 0) silent.delete(address);
    }

    function look(): void {
      const before = performance.now() - patience.lookMs;
      for (const [address, sockets] of silent) {
        if (sockets.size <= mostSilent) continue;
        guard.crowded(address);
        for (const [socket, since] of sockets) {
          if (since >= before) break;
          refused('LIMIT_EXCEEDED');
          socket.destroy();
        }
      }
    }
  };

  /** As Node answers by itself where nobody listens. */
  function refuse({ code = '' }: NodeJS.ErrnoException, socket: Socket): void {
    const { status, error } = malformed[code] ?? { status: 400, error: 'BAD_USER_INPUT' };
    // What comes behind what has been refused is no other refusal.
    if (code === 'ECONNRESET' || socket.writableEnded) return void socket.destroy();
    refused(error);
    // It would stand in the middle of another answer.
    if (!socket.writable || socket.bytesWritten > 0) return void socket.destroy();
    socket.once('finish', () => socket.destroy());
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    );
  }
}

/** What Node finds out before there is a request. */
const malformed: Readonly<Record<string, { readonly status: number; readonly error: ErrorCode }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, error: 'LIMIT_EXCEEDED' },
  HPE_HEADER_OVERFLOW: { status: 431, error: 'LIMIT_EXCEEDED' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, error: 'LIMIT_EXCEEDED' },
};

interface HandshakeParts {
  readonly guard: Pick<Guard, 'crowded'>;
  readonly patience: Patience;
  readonly trustedProxies: readonly string[] | undefined;
  /** Something was refused without an answer of ours. */
  refused(code: ErrorCode): void;
}
