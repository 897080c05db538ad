import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import { handleProtocols, makeServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Authenticate, Authenticated } from '../auth/authenticate.ts';
import type { Viewer } from '../domain/viewer.ts';
import {
  type ErrorCode,
  Refusal,
  rateLimited,
  tooLarge,
  tooManyConnections,
  unauthenticated,
} from '../errors.ts';
import type { Guard } from '../limits/guard.ts';
import type { Portion } from '../limits/portion.ts';
import { overBudget, overSize } from '../limits/subscription-budget.ts';
import type { Log } from '../observability/log.ts';
import type { Hub } from '../realtime/hub.ts';
import type { Positions } from '../realtime/position.ts';
import type { ClientAddressOf } from './address.ts';
import { ClientStream } from './client-stream.ts';
import { Closing, endKindOf } from './closing.ts';
import type { Connections } from './connections.ts';
import { type Operations, type Prepared, type Present, toJson } from './operation.ts';
import { Client } from './socket.ts';
import type { OpenSubscription } from './subscription.ts';

/** In so many pieces one message may come, as frames and as they were read from the network: each costs memory. */
const maxFragments = 1_024;
const maxBufferedChunks = 16_384;
/** How long a client may take to answer the closing of its socket. */
const closeMs = 5_000;

/** GraphQL over WebSocket: graphql-ws speaks the protocol, this file carries it and writes payloads past it. */
export function createWebSockets(parts: WebSocketParts) {
  const { operations, open, present, connections, limits, guard, log } = parts;
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols,
    maxPayload: limits.messageBytes,
    maxFragments,
    maxBufferedChunks,
    allowSynchronousEvents: false,
    perMessageDeflate: false,
    // The types of ws do not know it yet.
    ...({ closeTimeout: closeMs } as object),
  });

  const protocol = makeServer<ConnectionParameters, { client: Client }>({
    connectionInitWaitTimeout: parts.initWaitMs,

    onConnect: async ({ connectionParams, extra: { client } }) => {
      const viewer = await authenticate(tokenOf(connectionParams) ?? client.urlToken);
      // Whose token cannot be checked at the moment is to come back, which clients do not do from a refusal.
      if (viewer === 'unavailable') client.end(Closing.Unavailable);
      if (viewer === null || viewer === 'unavailable') return false;
      // From here on whatever ends its viewer's connections ends it, too.
      client.signIn(viewer);
      const place = await guard.entering(viewer, { id: client.id, tooMany: () => sendAway(client) });
      if (place === null) sendAway(client);
      else client.occupy(place);
      if (!client.isOpen) return false;
      connections.identified(client);
      return { connectionId: client.id, position: parts.positions.seal(parts.hub.watermark) };
    },

    onSubscribe: async ({ extra: { client }, subscriptions }, id, payload) => {
      const { id: connectionId, refresh, viewer, ipAddress, attached } = client;
      client.streams.get(id)?.replace();
      const { overMs } = client.pace;
      if (overMs !== null) {
        guard.flooded(viewer, ipAddress);
        return [present(rateLimited('Too many messages in too short a time.', overMs))];
      }
      const prepare = (as: Viewer | null, resume: readonly string[] = []) =>
        operations.prepare(payload, {
          viewer: as,
          resume,
          connectionId,
          refresh,
          effort: client.effort,
          wire: 'websocket',
          operationId: id,
        });
      const prepared = prepare(viewer);
      if (!Array.isArray(prepared) && prepared.operation.operation === 'subscription') {
        const most = limits.subscriptionsPerConnection;
        if (client.streams.size >= most) {
          return [present(tooLarge(`A connection has at most ${most} subscriptions.`))];
        }
        const { cost } = prepared;
        const characters = JSON.stringify(payload).length;
        const refusal =
          overBudget(cost, client.streams.values(), limits.subscriptionCostPerConnection) ??
          overSize(characters, client.streams.values());
        if (refusal) return [present(refusal)];
        // What follows on this socket waits for it to be attached.
        const stream: ClientStream = new ClientStream(
          client,
          id,
          { cost, characters },
          async (position, as) => {
            const again = prepare(as, [parts.positions.seal(position)]);
            return Array.isArray(again) ? { refused: { errors: again } } : open(again, stream);
          },
        );
        const isLeft = () => stream.isReplaced || !(id in subscriptions);
        return { ...argsOf(prepared), client, stream, isLeft, attached: client.expectAttached() };
      }
      // From here on whoever sends the client away waits for the answer.
      const answered = client.answers.expect();
      const refused = await guard.operating(viewer, ipAddress).catch(present);
      if (refused || Array.isArray(prepared)) {
        answered();
        return refused ? [refused] : (prepared as GraphQLError[]);
      }
      await attached;
      return { ...argsOf(prepared), client, answered, portion: client.portionOf(payload) };
    },

    execute: async (args) => {
      const { prepared, client, answered, portion } = args as Arguments;
      try {
        // It may have been sent away since it asked: nothing is done for it any more, nor answered.
        if (client.isSentAway) return {};
        const { viewer } = client;
        return await operations.execute(prepared, { viewer, resume: [], wire: 'websocket', portion });
      } finally {
        answered!();
      }
    },

    subscribe: async (args) => {
      const { prepared, stream, isLeft, attached } = args as Arguments;
      try {
        // Nothing is opened for who has left while others had their turn.
        const opened = await guard.opening(stream!.viewer, async () =>
          isLeft!() ? null : open(prepared, stream!),
        );
        if (opened === null || isLeft!()) {
          if (opened && 'subscriber' in opened) opened.subscriber.close();
          stream!.leave();
          // graphql-ws knows operations by their ids alone: what it were told now, it would tell of the other one.
          return new Promise<never>(() => {});
        }
        if ('refused' in opened) {
          stream!.leave();
          return opened.refused;
        }
        stream!.follow(opened.subscriber);
        return stream!;
      } finally {
        attached!();
      }
    },

    // Once its answer has been written, or is not wanted any more.
    onComplete: ({ extra: { client } }, _id, payload) => client.taken(payload),

    onNext: (_context, _id, _payload, _args, result) => toJson(result) as ExecutionResult,
    onError: (_context, _id, _payload, errors) =>
      toJson({ errors: errors.map((error) => present(error)) }).errors as readonly GraphQLError[],
  });

  /** Null: not let in. */
  async function authenticate(token: string | null): Promise<Authenticated | 'unavailable' | null> {
    if (token === null) {
      present(unauthenticated());
      return null;
    }
    try {
      return await parts.authenticate(token);
    } catch (error) {
      const { code } = present(error).extensions;
      if (error instanceof Refusal && code !== 'UNAVAILABLE') return null;
      log.warn({ err: error }, 'a token could not be checked');
      return 'unavailable';
    }
  }

  function sendAway(client: Client): void {
    // Until it has gone it may be found to be too many once more.
    if (!client.isOpen) return;
    present(tooManyConnections());
    client.end(Closing.TooManyConnections);
  }

  sockets.on('connection', (socket: WebSocket, request: IncomingMessage, wire: Socket) => {
    const client = new Client(socket, request, wire, parts);
    const closed = protocol.opened(client, { client });
    connections.add(client);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      log.debug({ err: error }, 'socket error');
      const refused = refusedByWs[error.code ?? ''];
      if (refused) client.refused(refused);
    });
    socket.once('close', (code, reason) => {
      connections.remove(client, endKindOf(code), { code, reason: String(reason) });
      client.closed();
      closed(code, String(reason)).catch((error) => log.error({ err: error }, 'closing a socket failed'));
    });
    const place = guard.waiting(client.ipAddress);
    if (place === null) sendAway(client);
    else client.occupy(place);
  });

  return {
    upgrade(request: IncomingMessage, duplex: Duplex, head: Buffer): void {
      sockets.handleUpgrade(request, duplex, head, (socket) =>
        sockets.emit('connection', socket, request, duplex),
      );
    },
  };
}

/** What ws refuses by closing, in our codes. */
const refusedByWs: Readonly<Record<string, ErrorCode>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 'LIMIT_EXCEEDED',
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 'LIMIT_EXCEEDED',
};

interface ConnectionParameters extends Record<string, unknown> {}

/** The token of `connection_init`. GraphiQL sends its headers there, whatever their case. */
function tokenOf(parameters: Readonly<Record<string, unknown>> | undefined): string | null {
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (typeof value !== 'string') continue;
    if (name === 'token') return value;
    if (name.toLowerCase() === 'authorization') return /^Bearer +(\S+)$/i.exec(value)?.[1] ?? value;
  }
  return null;
}

interface Arguments extends ExecutionArgs {
  readonly prepared: Prepared;
  readonly client: Client;
  readonly stream?: ClientStream;
  /** Whether the client has left what is still being opened. */
  readonly isLeft?: () => boolean;
  readonly attached?: () => void;
  readonly answered?: () => void;
  readonly portion?: Portion;
}

/** graphql-ws hands them through to `execute` and `subscribe`; it looks at the document alone. */
function argsOf(prepared: Prepared) {
  const operationName = prepared.operation.name?.value;
  return {
    schema: undefined as never,
    document: prepared.document,
    operationName,
    rootValue: null,
    contextValue: null,
    prepared,
  };
}

interface WebSocketParts {
  readonly clientAddressOf: ClientAddressOf;
  readonly authenticate: Authenticate;
  readonly operations: Operations;
  readonly open: OpenSubscription;
  readonly present: Present;
  readonly connections: Connections;
  readonly hub: Hub;
  readonly positions: Positions;
  readonly guard: Guard;
  readonly log: Log;
  /** How long a client may take to say who it is. */
  readonly initWaitMs: number;
  /** Something was refused by closing. */
  refused(code: ErrorCode): void;
  readonly limits: {
    readonly subscriptionsPerConnection: number;
    readonly subscriptionCostPerConnection: number;
    readonly messageBytes: number;
    readonly sendBufferBytes: number;
  };
  /** A payload has been written. */
  written(transport: string): void;
}
