import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { GraphQLError } from 'graphql';
import { describe, expect, onTestFinished, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { tooManyConnections } from '../../src/errors.ts';
import { Pace } from '../../src/limits/pace.ts';
import { Positions } from '../../src/realtime/position.ts';
import { Closing } from '../../src/transports/closing.ts';
import type { Connection } from '../../src/transports/connections.ts';
import { createLetIn } from '../../src/transports/event-stream.ts';
import type { ViewerSink } from '../../src/transports/groups.ts';
import { Client } from '../../src/transports/socket.ts';
import { createEventStreams } from '../../src/transports/sse.ts';
import { preparedDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { spawnServer, tokenOf } from '../support/process.ts';
import { type Payload, SocketClient } from '../support/websocket.ts';

const sendBufferBytes = 100_000;
const part = 'x'.repeat(sendBufferBytes);
/** More than a kernel keeps for both ends. */
const parts = 400;

/** Lets everything through. */
const guard = {
  connecting: async () => {},
  entering: async () => () => {},
  pace: () => new Pace({ count: 300, perMs: 1_000 }),
};

/** A connection whose reader has stopped, and how its end begins and comes. */
interface Full {
  readonly connection: Pick<ViewerSink, 'isFull' | 'drained'>;
  beginToClose(): Promise<void>;
  cut(): void;
}

async function fullSocket() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const reader = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [socket, request] = (await once(server, 'connection')) as [WebSocket, IncomingMessage];
  const options = {
    connections: { subscribed: () => {} },
    limits: { sendBufferBytes },
    guard,
    clientAddressOf: () => null,
    written: () => {},
  };
  const connection = new Client(socket, request, request.socket, options as never);
  socket.once('close', () => connection.closed());
  await once(reader, 'open');
  reader.pause();
  for (let index = 0; index < parts; index += 1) connection.write(Buffer.from(''), Buffer.from(part));
  return {
    connection,
    beginToClose: async () => {
      reader.close();
      await eventually(() => expect(socket.readyState).toBe(WebSocket.CLOSING));
    },
    cut: () => reader.terminate(),
  };
}

async function fullStream() {
  let stream!: Connection;
  const presented: unknown[] = [];
  const opened = new Promise<ViewerSink>((resolve) => {
    const connections = {
      add: (added: Connection) => {
        stream = added;
      },
      identified: () => {},
      subscribed: () => {},
      remove: () => {},
    };
    const letIn = createLetIn({
      connections,
      positions: new Positions([{ id: '00'.repeat(8), key: Buffer.alloc(32), until: null }]),
      limits: { sendBufferBytes },
      guard,
      clientAddressOf: () => null,
      isBlocked: () => false,
      present: (error: Error) => {
        presented.push(error);
        return new GraphQLError(error.message);
      },
      written: () => {},
    } as unknown as Parameters<typeof createLetIn>[0]);
    const respond = createEventStreams({
      operations: { prepare: () => ({ operation: { operation: 'subscription' }, cost: 1 }) },
      limits: { subscriptionCostPerConnection: 1 },
      open: async (_: unknown, sink: ViewerSink) => {
        setImmediate(() => resolve(sink));
        return { subscriber: { startedAt: 0, reached: 0, close: () => {} } };
      },
      letIn,
    } as unknown as Parameters<typeof createEventStreams>[0]);
    const viewer = { id: 'ada', roles: [], expiresAt: Date.now() + 3_600_000 };
    const server = createServer((_request, response) => {
      void respond(response, { parameters: {}, viewer, lastEventId: undefined, isReadOnly: true } as never);
    });
    onTestFinished(() => void server.close());
    server.listen(0, '127.0.0.1', () => {
      const reader = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
      reader.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n');
      onTestFinished(() => void reader.destroy());
    });
  });
  const connection = await opened;
  for (let index = 0; index < parts; index += 1) {
    connection.write({ payload: part, position: null, bytes: {} });
  }
  return { connection, stream, presented, beginToClose: async () => stream.destroy(), cut: () => {} };
}

describe.each<[string, () => Promise<Full>]>([
  ['a WebSocket', fullSocket],
  ['an event stream', fullStream],
])('who waits for room in %s that is closing', (_, open) => {
  test('waits until it is closed, and finds that it is not full any more', async () => {
    const { connection, beginToClose, cut } = await open();
    await beginToClose();
    expect(connection.isFull).toBe(true);
    const drained = connection.drained();
    cut();
    await drained;
    expect(connection.isFull).toBe(false);
  });
});

test('a WebSocket ends its subscriptions when it begins to close, and not when that has been read', async () => {
  const { connection } = await fullSocket();
  const left: string[] = [];
  for (const id of ['one', 'other']) {
    connection.streams.set(id, {
      cost: 1,
      characters: 1,
      leave: () => left.push(id),
      replace: () => {},
      isBeyond: () => false,
      reopen: () => {},
    });
  }
  connection.end(Closing.Forbidden);
  expect(left).toEqual(['one', 'other']);
});

test('an event stream says once why it ends, however often it is ended while that is to be read', async () => {
  const { stream, presented } = await fullStream();
  for (let times = 0; times < 3; times += 1) stream.end(Closing.TooManyConnections, tooManyConnections());
  expect(presented).toHaveLength(1);
});

const create = 'mutation Create($name: String!) { createChannel(input: { name: $name }) { id } }';
const send = `mutation Send($channel: String!, $body: String!, $data: JSON) {
  sendMessage(input: { channel: $channel, body: $body, data: $data }) { id }
}`;
const follow = (channel: string) => ({
  query: `subscription { channelMessage(channel: "${channel}") { body data } }`,
});

describe('a client that stops reading, and whose connection is ended', () => {
  // In a process of its own, so that its hanging does not hang the test.
  test('does not keep the server from serving others until it is gone', async () => {
    const database = await preparedDatabase();
    onTestFinished(database.drop);
    const { url } = await spawnServer({
      DATABASE_URL: database.url,
      SEND_BUFFER_BYTES: String(sendBufferBytes),
    });
    const token = await tokenOf('bob', ['admin']);
    const ask = async (query: string, variables = {}, signal?: AbortSignal) => {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query, variables }),
        signal,
      });
      const { data, errors } = (await response.json()) as Payload;
      expect(errors).toBeUndefined();
      return data;
    };
    for (const name of ['busy', 'quiet']) await ask(create, { name });
    const [ada, bob] = [
      new SocketClient(`${url}/graphql`, { token: await tokenOf('ada') }),
      new SocketClient(`${url}/graphql`, { token }),
    ];
    await Promise.all([ada.acknowledged, bob.acknowledged]);
    for (const channel of ['busy', 'quiet']) ada.run(follow(channel));
    await ada.run({ query: '{ viewer { id } }' }).next();
    const heard = bob.run(follow('quiet'));
    await bob.run({ query: '{ viewer { id } }' }).next();
    ada.socket.pause();
    const data = 'x'.repeat(60_000);
    const fill = (index: number) => ask(send, { channel: 'busy', body: String(index), data });
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(Array.from({ length: 20 }, (_, index) => fill(20 * round + index)));
    }

    await ask('mutation { disconnect(userId: "ada") }');
    // What comes behind the loss of a right is delivered behind it, so that the connection is closing by then.
    await ask(send, { channel: 'quiet', body: 'hello' });
    expect((await heard.next()).data.channelMessage.body).toBe('hello');
    expect(await ask('{ viewer { id } }', {}, AbortSignal.timeout(30_000))).toEqual({
      viewer: { id: 'bob' },
    });
    ada.cut();
    await bob.close();
  });
});
