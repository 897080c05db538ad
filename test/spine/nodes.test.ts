import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { preparedDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { type OwnRedis, startRedis } from '../support/redis-server.ts';
import { type TestServer, testServer } from '../support/server.ts';

const create = 'mutation { createChannel(input: { name: "general" }) { id } }';
const follow = 'subscription { channelMessage(channel: "general") { body } }';
const followEvents = 'subscription { eventReceived { id type payload } }';
const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body }) { id } }';
const emit = 'mutation Emit($input: EmitEventInput!) { emitEvent(input: $input) }';
const disconnect = `mutation Disconnect($userId: ID, $connectionId: ID, $reason: String) {
  disconnect(userId: $userId, connectionId: $connectionId, reason: $reason)
}`;
const block = 'mutation Block($id: ID!, $blocked: Boolean) { blockUser(id: $id, blocked: $blocked) { id } }';
const stats = '{ stats { nodes connections subscriptions outboxDepth journalPosition } }';

let redis: OwnRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** Nodes of one cluster; the first one leads. */
async function startNodes(count: number, environment: Record<string, string>): Promise<TestServer[]> {
  const database = await preparedDatabase();
  const nodes: TestServer[] = [];
  for (let index = 0; index < count; index += 1) {
    nodes.push(await testServer('postgres', { LOG_LEVEL: 'silent', ...environment }, database.url));
  }
  onTestFinished(async () => {
    for (const node of nodes) await node.close();
    await database.drop();
  });
  return nodes;
}

const withinMs = async (work: Promise<unknown>) => {
  const startedAt = performance.now();
  await work;
  return performance.now() - startedAt;
};

describe('a stream that is still being opened', () => {
  test('is ended by what ends its viewer', async () => {
    const database = await preparedDatabase();
    const server = await testServer('postgres', { LOG_LEVEL: 'silent' }, database.url);
    const sql = postgres(database.url, { max: 1, onnotice: () => {} });
    onTestFinished(async () => {
      await sql.end();
      await server.close();
      await database.drop();
    });
    await server.ask('ada', create);
    await sql`begin`;
    await sql`lock table channels in access exclusive mode`;
    const opening = server.events('ada', { query: follow });
    await eventually(async () =>
      expect((await server.ask('root', stats, {}, ['admin'])).stats.connections).toBe(1),
    );
    await server.ask('root', disconnect, { userId: 'ada', reason: 'maintenance' }, ['admin']);
    const events = await opening;
    expect(await events.stream.frame()).toMatchObject({
      type: 'next',
      payload: { errors: [{ message: 'maintenance', extensions: { code: 'FORBIDDEN' } }] },
    });
    expect(await events.ended).toBe('complete');
    await sql`commit`;
    await eventually(async () =>
      expect((await server.ask('root', stats, {}, ['admin'])).stats).toMatchObject({
        connections: 0,
        subscriptions: 0,
      }),
    );
  });
});

describe('two nodes with Redis', () => {
  test('tell each other of what was committed within a blink, whoever leads', async () => {
    const [one, other] = (await startNodes(2, { REDIS_URL: redis.url })) as [TestServer, TestServer];
    await one.ask('ada', create);
    const streams = [];
    for (const node of [one, other]) {
      const socket = await node.socket('ada');
      streams.push(socket.run({ query: follow }));
      await socket.run({ query: '{ viewer { id } }' }).next();
    }
    const took: number[] = [];
    for (let index = 0; index < 20; index += 1) {
      const from = index % 2 === 0 ? one : other;
      const heard = Promise.all(streams.map((stream) => stream.next()));
      await from.ask('ada', send, { body: `message ${index}` });
      took.push(await withinMs(heard));
      for (const { data } of await heard) expect(data.channelMessage.body).toBe(`message ${index}`);
    }
    // By the journal alone all but the first would take 250 ms. A busy machine does not slow all of them down.
    expect(Math.min(...took.slice(1))).toBeLessThan(150);
    expect(await one.metric('realtime_bus_connected')).toBe(1);
  });

  test('hear a last message that Redis lost, on each of them, within two seconds', async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    const nodes = await startNodes(2, { REDIS_URL: own.url });
    await nodes[0]!.ask('ada', create);
    const streams = [];
    for (const node of nodes) {
      const socket = await node.socket('ada');
      streams.push(socket.run({ query: follow }));
      await socket.run({ query: '{ viewer { id } }' }).next();
    }
    await nodes[0]!.ask('ada', send, { body: 'with Redis' });
    await Promise.all(streams.map((stream) => stream.next()));
    await own.kill();
    for (const node of nodes) {
      const { status, body } = await ready(node);
      expect({ status, body }).toEqual({
        status: 200,
        body: { status: 'degraded', missing: { redis: 'does not answer' } },
      });
    }
    for (const from of nodes) {
      await from.ask('ada', send, { body: 'the last' });
      const took = await withinMs(Promise.all(streams.map((stream) => stream.next())));
      expect(took).toBeLessThan(2_000);
    }
    await own.restart();
    await eventually(async () => {
      for (const node of nodes) expect((await ready(node)).body).toEqual({ status: 'ready' });
    });
  });

  test('start without it, say that they are degraded, and are whole when it comes', async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    await own.kill();
    const [one, other] = (await startNodes(2, { REDIS_URL: own.url })) as [TestServer, TestServer];
    await one.ask('ada', create);
    const socket = await other.socket('ada');
    const stream = socket.run({ query: follow });
    expect(await withinMs(socket.run({ query: '{ viewer { id } }' }).next())).toBeLessThan(1_000);
    expect((await ready(other)).body.status).toBe('degraded');
    await one.ask('ada', send, { body: 'without Redis' });
    expect((await stream.next()).data.channelMessage.body).toBe('without Redis');
    await own.restart();

    await eventually(async () => expect((await ready(other)).body.status).toBe('ready'));
    await eventually(async () => {
      const heard = stream.next();
      await one.ask('ada', send, { body: 'with Redis' });
      expect(await withinMs(heard)).toBeLessThan(100);
    });
  });

  test('whisper to everyone, to a user, to a channel and to one connection', async () => {
    const [one, other] = (await startNodes(2, { REDIS_URL: redis.url })) as [TestServer, TestServer];
    await one.ask('ada', create);
    const [first, second] = [await other.socket('ada'), await other.socket('ada')];
    const streams = [first, second].map((socket) => socket.run({ query: followEvents }));
    for (const socket of [first, second]) await socket.run({ query: '{ viewer { id } }' }).next();
    const { connectionId } = await second.acknowledged;
    const whisper = (type: string, recipient: object) =>
      one.ask(
        'service',
        emit,
        { input: { type, payload: { n: 1 }, recipients: [recipient], ephemeral: true } },
        ['service'],
      );
    // Redis listens a moment after the subscription was accepted; what is told in passing may miss that moment.
    await eventually(async () => {
      await whisper('to.connection', { connectionId });
      expect(streams[1]!.waiting.length).toBeGreaterThan(0);
    });
    expect((await streams[1]!.next()).data.eventReceived).toEqual({
      id: null,
      type: 'to.connection',
      payload: { n: 1 },
    });
    expect(await whisper('to.everyone', { everyone: true })).toEqual({ emitEvent: null });
    await whisper('to.user', { userId: 'ada' });
    await whisper('to.channel', { channel: 'general' });
    const types = (await streams[0]!.take(3)).map(({ data }) => data.eventReceived.type);
    expect(types).toEqual(['to.everyone', 'to.user', 'to.channel']);
  });

  test('show their sum in the statistics, and one less when one has gone', async () => {
    const nodes = await startNodes(2, { REDIS_URL: redis.url });
    const [one, other] = nodes as [TestServer, TestServer];
    const socket = await other.socket('ada');
    socket.run({ query: followEvents });
    await eventually(async () => {
      expect((await one.ask('admin', stats, {}, ['admin'])).stats).toEqual({
        ...{ nodes: 2, connections: 1, subscriptions: 1, outboxDepth: 0 },
        journalPosition: expect.stringMatching(/^[\w-]{20,}$/),
      });
    });
    await other.close();
    const { nodes: left, connections } = (await one.ask('admin', stats, {}, ['admin'])).stats;
    expect({ left, connections }).toEqual({ left: 1, connections: 0 });
    nodes.pop();
  });
});

describe.each([
  ['Redis', () => ({ REDIS_URL: redis.url })],
  ['a Redis that is away', () => ({ REDIS_URL: 'redis://127.0.0.1:1' })],
  ['no Redis', () => ({})],
] as [string, () => Record<string, string>][])('what one node takes away, with %s,', (_name, environment) => {
  let nodes: TestServer[];
  const open = async () => {
    nodes = await startNodes(2, environment());
    await nodes[0]!.ask('ada', create);
    return nodes as [TestServer, TestServer];
  };

  test('ends the connections of a disconnected user on the other node within a second', async () => {
    const [one, other] = await open();
    const socket = await other.socket('ben');
    const events = await other.events('ben', { query: follow });
    await events.opened;
    const stays = await other.socket('ada');
    await eventually(async () => {
      const { stats: seen } = await one.ask('admin', stats, {}, ['admin']);
      expect(seen.connections).toBeGreaterThan(0);
    });
    const variables = { userId: 'ben', reason: 'out' };
    const startedAt = performance.now();
    const answer = await one.ask('admin', disconnect, variables, ['admin']);
    expect(answer).toEqual({ disconnect: 2 });
    expect(await socket.closed).toEqual({ code: 4403, reason: 'out' });
    expect(await events.ended).toBe('complete');
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect((await stays.run({ query: '{ viewer { id } }' }).next()).data.viewer.id).toBe('ada');
  });

  test('refuses a blocked user everywhere within a second, until they are unblocked', async () => {
    const [one, other] = await open();
    const socket = await other.socket('ben');
    const startedAt = performance.now();
    await one.ask('admin', block, { id: 'ben' }, ['admin']);
    expect((await socket.closed).code).toBe(4403);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    const { errors } = await other.run('ben', '{ viewer { id } }');
    expect(errors![0]!.extensions.code).toBe('UNAUTHENTICATED');
    const third = await testServer('postgres', environment(), one.databaseUrl!);
    nodes.push(third);
    expect((await third.run('ben', '{ viewer { id } }')).errors![0]!.extensions.code).toBe('UNAUTHENTICATED');

    await other.ask('admin', block, { id: 'ben', blocked: false }, ['admin']);
    for (const node of [one, other, third]) {
      await eventually(async () =>
        expect((await node.run('ben', '{ viewer { id } }')).errors).toBeUndefined(),
      );
    }
  });

  test('is followed by nothing that was committed after it', async () => {
    const [one, other] = await open();
    for (let round = 0; round < 5; round += 1) {
      const socket = await other.socket('ben');
      const stream = socket.run({ query: follow });
      await socket.run({ query: '{ viewer { id } }' }).next();
      await one.ask('ada', send, { body: `before ${round}` });
      await eventually(() => expect(stream.waiting.length).toBe(1));
      await one.ask('admin', disconnect, { userId: 'ben' }, ['admin']);
      await one.ask('ada', send, { body: `after ${round}` });
      await socket.closed;
      const bodies = stream.waiting.map((frame) => (frame as any).payload.data.channelMessage.body);
      expect(bodies).toEqual([`before ${round}`]);
    }
  });
});

async function ready({ url }: TestServer): Promise<{ status: number; body: { status: string } }> {
  const response = await fetch(`${url}/ready`);
  return { status: response.status, body: (await response.json()) as { status: string } };
}
