import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callerOf } from '../support/caller.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { runScript, type ServerProcess, spawnServer, tokenOf } from '../support/process.ts';
import { databases, secret } from '../support/server.ts';
import { EventStreamClient } from '../support/sse.ts';
import { type Payload, SocketClient, type Stream } from '../support/websocket.ts';

const create = 'mutation { createChannel(input: { name: "general" }) { id } }';
const send =
  'mutation Send($body: String!, $clientId: String) { sendMessage(input: { channel: "general", body: $body, clientId: $clientId }) { id } }';
const follow =
  'subscription Follow($after: Position) { channelMessage(channel: "general", after: $after) { body } }';

async function ask({ url }: ServerProcess, query: string, variables = {}): Promise<Payload['data']> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await tokenOf('ada')}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as Payload;
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

async function connect({ url }: ServerProcess): Promise<SocketClient> {
  const client = new SocketClient(`${url}/graphql`, { token: await tokenOf('ada') });
  await client.acknowledged;
  return client;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realtime-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(databases)('a server process on %s', (kind) => {
  let environment: Record<string, string>;
  let drop: () => Promise<void> = async () => {};

  beforeAll(async () => {
    environment = { DATA_DIR: join(folder, 'data') };
    if (kind === 'postgres') {
      const database = await freshDatabase();
      environment.DATABASE_URL = database.url;
      drop = database.drop;
    }
  });
  afterAll(() => drop());

  test('keeps everything over a stop and a start, and is ready after less than ten seconds of a core', async () => {
    const first = await spawnServer(environment);
    // By the clock it would depend on what else this machine does.
    expect(await callerOf(first.url, secret).metric('process_cpu_seconds_total')).toBeLessThan(10);
    expect(first.output()).toMatch(/^demo token +\S+\.\S+\.\S+$/m);
    await ask(first, create);
    await ask(first, send, { body: 'kept' });
    first.signal('SIGTERM');
    expect(await first.ended).toBe(0);

    const second = await spawnServer(environment);
    const { channel } = await ask(
      second,
      '{ channel(name: "general") { messages { edges { node { body } } } } }',
    );
    expect(channel.messages.edges.map((edge: { node: object }) => edge.node)).toEqual([{ body: 'kept' }]);
    second.signal('SIGTERM');
    expect(await second.ended).toBe(0);
  });

  test('loses nothing that was acknowledged when it is killed, and subscribers resume across it', async () => {
    let server = await spawnServer(environment);
    const { position } = await ask(server, '{ position }');
    const acknowledged: string[] = [];
    const held: { bodies: string[]; position: string } = { bodies: [], position };

    for (let life = 0; life < 3; life += 1) {
      const socket = await connect(server);
      const stream = socket.run({ query: follow, variables: { after: held.position } });
      const hearing = hear(stream, held);
      const senders = Array.from({ length: 8 }, (_, sender) =>
        sendOn(server, `${life}.${sender}`, acknowledged),
      );
      await eventually(() => expect(held.bodies.length).toBeGreaterThan(100 * (life + 1)));
      server.signal('SIGKILL');
      await server.ended;
      await Promise.all(senders);
      await hearing;
      server = await spawnServer(environment);
    }

    const socket = await connect(server);
    const stream = socket.run({ query: follow, variables: { after: held.position } });
    const hearing = hear(stream, held);
    await ask(server, send, { body: 'the end' });
    await eventually(() => expect(held.bodies.at(-1)).toBe('the end'));
    expect(new Set(held.bodies).size).toBe(held.bodies.length);
    expect(acknowledged.filter((body) => !held.bodies.includes(body))).toEqual([]);
    socket.cut();
    await hearing;
    server.signal('SIGTERM');
    expect(await server.ended).toBe(0);
  });

  test('that drains sends its clients away to come back, and ends with 0', async () => {
    const server = await spawnServer(environment);
    const sockets = await Promise.all(Array.from({ length: 5 }, () => connect(server)));
    const stream = new EventStreamClient(`${server.url}/graphql`, await tokenOf('ada'), { query: follow });
    await stream.opened;
    server.signal('SIGTERM');

    await eventually(async () => expect((await fetch(`${server.url}/ready`)).status).toBe(503));
    for (const socket of sockets) expect((await socket.closed).code).toBe(1012);
    expect(await stream.ended).toBe('cut');
    expect(stream.blocks.at(-1)).toEqual({ retry: expect.stringMatching(/^\d+$/) });
    expect(await server.ended).toBe(0);
  });
});

describe('five processes that start at once on an empty database', () => {
  test('all become ready, and share it', async () => {
    const database = await freshDatabase();
    const environment = { DATABASE_URL: database.url };
    const servers = await Promise.all(Array.from({ length: 5 }, () => spawnServer(environment)));
    const [first, ...others] = servers as [ServerProcess, ...ServerProcess[]];
    await ask(first, create);
    const sockets = await Promise.all(others.map(connect));
    const streams = sockets.map((socket) => socket.run({ query: follow }));
    for (const socket of sockets) await socket.run({ query: '{ viewer { id } }' }).next();
    await ask(first, send, { body: 'to all nodes' });

    for (const stream of streams) expect((await stream.next()).data.channelMessage.body).toBe('to all nodes');
    for (const server of servers) server.signal('SIGTERM');
    for (const server of servers) expect(await server.ended).toBe(0);
    await database.drop();
  });
});

describe('a second process on the same DATA_DIR', () => {
  test('is refused with a clear message, and a token can still be printed', async () => {
    const environment = { DATA_DIR: join(folder, 'data'), JWT_SECRET: '' };
    const server = await spawnServer(environment);

    const second = await runScript('start', [], environment);
    expect(second).toMatchObject({ code: 1, output: '' });
    expect(second.errors).toContain('DATA_DIR');
    expect(second.errors).not.toContain('    at ');
    const { code, output } = await runScript('token', ['--user', 'alice', '--role', 'admin'], environment);
    expect(code).toBe(0);
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${output.trim()}` },
      body: JSON.stringify({ query: '{ viewer { id roles } }' }),
    });
    expect(await response.json()).toEqual({ data: { viewer: { id: 'alice', roles: ['admin'] } } });
    server.signal('SIGTERM');
    await server.ended;
  });
});

describe('a configuration with mistakes', () => {
  test('is refused as a whole, by name and without a stack trace', async () => {
    const environment = { PORT: 'many', JWT_SECRET: 'short', NODE_ENV: 'production', LOG_LEVEL: 'loud' };
    const { code, errors } = await runScript('start', [], environment);

    expect(code).toBe(1);
    for (const name of ['PORT', 'JWT_SECRET', 'LOG_LEVEL']) expect(errors).toContain(name);
    expect(errors).not.toContain('    at ');
  });
});

/** Collects until the connection ends. */
async function hear(stream: Stream, held: { bodies: string[]; position: string }): Promise<void> {
  for (let frame = await stream.frame(); frame; frame = await stream.frame()) {
    if (frame.type !== 'next') throw new Error(JSON.stringify(frame));
    held.bodies.push(frame.payload.data.channelMessage.body);
    held.position = frame.payload.extensions!.position;
  }
}

/** Sends one after the other until the server is gone. */
async function sendOn(server: ServerProcess, name: string, acknowledged: string[]): Promise<void> {
  for (let index = 0; ; index += 1) {
    const body = `${name}.${index}`;
    try {
      await ask(server, send, { body, clientId: body });
      acknowledged.push(body);
    } catch {
      return;
    }
  }
}
