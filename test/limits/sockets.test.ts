import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { effortless } from '../../src/limits/effort.ts';
import { Pace } from '../../src/limits/pace.ts';
import { usualPatience } from '../../src/limits/patience.ts';
import { Client } from '../../src/transports/socket.ts';
import { eventually } from '../support/eventually.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { SocketClient } from '../support/websocket.ts';

const rate = 30;
const ask = { query: '{ viewer { id } }' };
const listen = { query: 'subscription { notificationReceived { id } }' };

let server: TestServer;
beforeAll(async () => {
  const environment = { SOCKET_MESSAGE_RATE: `${rate}/1s`, MAX_SUBSCRIPTIONS_PER_CONNECTION: '1000' };
  server = await testServer('embedded', environment, undefined, { ...usualPatience, initMs: 500 });
});
afterAll(() => server.close());

const refusals = async (code: string) =>
  (await server.metric(`realtime_refusals_total{code="${code}"}`)) ?? 0;

/** A socket over which nothing has been said yet. */
async function opened(): Promise<{ socket: WebSocket; closed: Promise<number> }> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  onTestFinished(() => socket.terminate());
  socket.on('error', () => {});
  const closed = once(socket, 'close').then(([code]) => code as number);
  await once(socket, 'open');
  return { socket, closed };
}

async function letIn(): Promise<SocketClient> {
  const client = await server.socket('mallory');
  onTestFinished(() => client.cut());
  return client;
}

describe('a message flood', () => {
  test('is refused one by one, answered to the last, and the socket lives', async () => {
    const client = await letIn();
    const before = await refusals('RATE_LIMITED');
    const frames = await Promise.all(Array.from({ length: 3 * rate }, () => client.run(ask).frame()));
    const refused = frames.flatMap((frame) => (frame?.type === 'error' ? frame.payload : []));
    expect(frames.filter((frame) => frame?.type === 'next').length).toBeGreaterThanOrEqual(rate - 1);
    expect(refused.length).toBeGreaterThan(0);
    expect(await refusals('RATE_LIMITED')).toBe(before + refused.length);
    for (const { extensions } of refused) {
      expect(extensions).toEqual({ code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) });
      expect(extensions.retryAfterMs).toBeLessThanOrEqual(1_000);
    }
    await eventually(async () => {
      expect((await client.run(ask).next()).data.viewer.id).toBe('mallory');
    });
  });

  test('of subscriptions is refused as well, and the socket lives', async () => {
    const client = await letIn();
    const streams = Array.from({ length: 2 * rate }, () => client.run(listen));
    await eventually(() => {
      const refused = streams.filter(({ waiting }) => waiting[0]?.type === 'error');
      expect(refused.length).toBeGreaterThanOrEqual(rate / 2);
    });
    await eventually(async () => {
      expect((await client.run(ask).next()).data.viewer.id).toBe('mallory');
    });
  });

  test.each<[string, (socket: WebSocket) => void]>([
    ['of messages', (socket) => socket.send('{"type":"ping"}')],
    ['of pings of WebSocket itself', (socket) => socket.ping()],
    ['of pongs that nobody asked for', (socket) => socket.pong()],
  ])('%s is not read on for a moment, and then again', async (_, flood) => {
    const wires = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    onTestFinished(() => void wires.close());
    await once(wires, 'listening');
    const sender = new WebSocket(`ws://127.0.0.1:${(wires.address() as AddressInfo).port}`);
    onTestFinished(() => sender.terminate());
    sender.on('error', () => {});
    const [[socket, request]] = await Promise.all([
      once(wires, 'connection') as Promise<[WebSocket, IncomingMessage]>,
      once(sender, 'open'),
    ]);
    let floods = 0;
    const guard = {
      pace: () => new Pace({ count: 10, perMs: 300 }),
      flooded: () => (floods += 1),
      effortOf: () => effortless,
    };
    const parts = { guard, limits: { sendBufferBytes: 1_000_000 }, clientAddressOf: () => null };
    const client = new Client(socket, request, request.socket, parts as never);
    socket.once('close', () => client.closed());
    let heard = 0;
    client.onMessage(async () => {
      heard += 1;
    });

    for (let index = 0; index < 20; index += 1) flood(sender);
    sender.send('the twenty-first');
    await eventually(() => expect(socket.isPaused).toBe(true));
    expect(floods).toBe(1);
    sender.send('behind the flood');
    const heardInTheFlood = heard;
    await eventually(() => expect(socket.isPaused).toBe(false));
    await eventually(() => expect(heard).toBe(heardInTheFlood + 1));
  });
});

test('what a connection is subscribed to is kept up to a megabyte', async () => {
  const client = await letIn();
  const large = (unused: string) => ({ ...listen, variables: { unused: unused.repeat(600_000) } });
  const first = client.run(large('a'));
  await client.run(ask).next();
  const frame = await client.run(large('b')).frame();
  expect(frame).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'LIMIT_EXCEEDED' } }] });
  first.leave();
  const second = client.run(large('c'));
  await client.run(ask).next();
  expect(second.waiting).toEqual([]);
});

describe('garbage', () => {
  test('is closed with 4400, and counted', async () => {
    const { socket, closed } = await opened();
    const before = await refusals('BAD_USER_INPUT');
    for (let index = 0; index < 5; index += 1) socket.send('garbage');
    expect(await closed).toBe(4400);
    expect(await refusals('BAD_USER_INPUT')).toBe(before + 1);
  });

  test.each(['connection_ack', 'next', 'error'])(
    'that only servers say, `%s`, is closed with 4400',
    async (type) => {
      const client = await letIn();
      const payload = type === 'error' ? [{ message: 'no' }] : {};
      client.send({ type, id: '1', payload });
      expect(await client.closed).toMatchObject({ code: 4400 });
    },
  );
});

/** The code of a closing frame behind the head of an answer. */
function closeCodeIn(heard: Buffer): number | null {
  const frame = heard.subarray(heard.indexOf('\r\n\r\n') + 4);
  return frame[0] === 0x88 ? frame.readUInt16BE(2) : null;
}

describe('a 100 MB frame', () => {
  test('is refused with 1009 by its head, and takes no memory', async () => {
    const { hostname, port } = new URL(server.url);
    const wire = connect(Number(port), hostname);
    onTestFinished(() => void wire.destroy());
    wire.on('error', () => {});
    const heard: Buffer[] = [];
    wire.on('data', (part) => heard.push(part));
    const key = Buffer.alloc(16).toString('base64');
    wire.write(
      `GET /graphql HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    await eventually(() => expect(String(Buffer.concat(heard))).toContain('101'));
    const before = await refusals('LIMIT_EXCEEDED');
    const megabytes = 100;
    const head = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeUInt32BE(megabytes * 2 ** 20, 6);
    const piece = Buffer.alloc(2 ** 20);
    const memoryBefore = process.memoryUsage().arrayBuffers;
    wire.write(head);
    let most = 0;
    for (let sent = 0; sent < megabytes && wire.writable; sent += 1) {
      await new Promise((resolve) => wire.write(piece, resolve));
      most = Math.max(most, process.memoryUsage().arrayBuffers - memoryBefore);
    }
    await eventually(() => expect(closeCodeIn(Buffer.concat(heard))).toBe(1009));
    expect(most).toBeLessThan(20 * 2 ** 20);
    expect(await refusals('LIMIT_EXCEEDED')).toBe(before + 1);
  });

  test('in pieces is refused as soon as they are too much or too many', async () => {
    const client = await letIn();
    const tooMany = once(client.socket, 'close');
    for (let index = 0; index < 2_000; index += 1) client.socket.send('x', { fin: false });
    expect((await tooMany)[0]).toBe(1008);

    const other = await letIn();
    const tooMuch = once(other.socket, 'close');
    const piece = 'x'.repeat(100_000);
    for (let index = 0; index < 20; index += 1) other.socket.send(piece, { fin: false });
    expect((await tooMuch)[0]).toBe(1009);
  });
});

describe('a client that has not said who it is', () => {
  test('is refused with 1009 when it says too much, in one message or in many', async () => {
    const before = await refusals('LIMIT_EXCEEDED');
    const one = await opened();
    one.socket.send(JSON.stringify({ type: 'connection_init', payload: { token: 'x'.repeat(30_000) } }));
    expect(await one.closed).toBe(1009);

    const many = await opened();
    const payload = { padding: 'x'.repeat(1_000) };
    for (let index = 0; index < 30; index += 1) many.socket.send(JSON.stringify({ type: 'ping', payload }));
    expect(await many.closed).toBe(1009);
    expect(await refusals('LIMIT_EXCEEDED')).toBe(before + 2);
  });

  test('may have a long token, and say long things when it is let in', async () => {
    const client = new SocketClient(`${server.url}/graphql`, {
      token: await server.token('ada'),
      padding: 'x'.repeat(12_000),
    });
    onTestFinished(() => client.cut());
    await client.acknowledged;
    const { data } = await client.run({ query: `{ viewer { id } } #${'x'.repeat(50_000)}` }).next();
    expect(data.viewer.id).toBe('ada');
  });

  test('is closed with 4408 when it never does', async () => {
    const before = await refusals('UNAUTHENTICATED');
    const { closed } = await opened();
    expect(await closed).toBe(4408);
    expect(await refusals('UNAUTHENTICATED')).toBe(before + 1);
  });

  test('is closed with 4401 when it asks before', async () => {
    const { socket, closed } = await opened();
    for (const id of ['1', '2', '3']) socket.send(JSON.stringify({ id, type: 'subscribe', payload: ask }));
    expect(await closed).toBe(4401);
  });

  test('is closed with 4429 when it does more than once', async () => {
    const { socket, closed } = await opened();
    const init = JSON.stringify({ type: 'connection_init', payload: { token: await server.token('ada') } });
    for (let index = 0; index < 10; index += 1) socket.send(init);
    expect(await closed).toBe(4429);
  });
});
