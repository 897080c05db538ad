import { connect } from 'node:net';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type TestServer, testServer } from '../support/server.ts';

const follow = 'subscription { channelMessage(channel: "general") { body } }';
const create = 'mutation { createChannel(input: { name: "general" }) { id } }';
const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body }) { id } }';
const block = 'mutation Block($blocked: Boolean) { blockUser(id: "slow", blocked: $blocked) { id } }';

describe('a client that misbehaves', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('embedded', {
      SEND_BUFFER_BYTES: '1000',
      MAX_OPERATION_ALIASES: '500',
      MAX_OPERATION_SELECTIONS: '3000',
    });
    await server.ask('ada', create);
  });
  afterAll(() => server.close());

  test.each(['//', 'http://', '/%'])('does no harm with an upgrade at %s', async (path) => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const headers = ['Host: here', 'Connection: Upgrade', 'Upgrade: websocket'];
    socket.write(`GET ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
    const answer = await new Promise<string>((resolve) =>
      socket.once('data', (data) => resolve(String(data))),
    );

    expect(answer).toMatch(/^HTTP\/1.1 40[04] /);
    expect((await fetch(`${server.url}/live`)).status).toBe(200);
    socket.destroy();
  });

  test('asks for a stream behind another in one connection, and leaves nothing behind', async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const head = `Host: here\r\nAuthorization: Bearer ${await server.token('ada')}\r\n\r\n`;
    socket.write(`GET /realtime/events HTTP/1.1\r\n${head}`.repeat(2));
    await new Promise((resolve) => socket.once('data', resolve));
    await server.ask('ada', '{ viewer { id } }');
    socket.destroy();

    await eventually(async () => {
      expect(await server.metric('realtime_connections{transport="sse"}')).toBe(0);
      expect(await server.metric('realtime_subscriptions{field="/realtime/events"}')).toBe(0);
    }, 5_000);
  });

  test.each([
    ['/graphql', '{"query":"{ viewer { id } }"}'],
    ['/notifications/send', '{"user_id":"slow","title":"t","message":"m"}'],
  ])('is refused at %s when it is blocked while it sends its body slowly', async (path, body) => {
    const { hostname, port } = new URL(server.url);
    await server.ask('slow', '{ viewer { id } }', {}, ['service']);
    const socket = connect(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    const answer = () => new Promise<string>((resolve) => socket.once('data', (data) => resolve(`${data}`)));
    const token = await server.token('slow', ['service']);
    const headers = ['Host: here', `Authorization: Bearer ${token}`, 'Content-Type: application/json'];
    headers.push('Expect: 100-continue', `Content-Length: ${body.length}`);
    socket.write(`POST ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
    expect(await answer()).toMatch(/^HTTP\/1.1 100 /);
    await server.ask('root', block, { blocked: true }, ['admin']);
    await eventually(async () => {
      const { errors } = await server.run('slow', '{ viewer { id } }', {}, ['service']);
      expect(errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    });
    socket.write(body);

    expect(await answer()).toMatch(/^HTTP\/1.1 401 /);
    await server.ask('root', block, { blocked: false }, ['admin']);
    await eventually(() => server.ask('slow', '{ viewer { id } }', {}, ['service']));
  });

  test('takes the same operation id again and again without leaving anything behind', async () => {
    const socket = await server.socket('ada');
    for (let round = 0; round < 300; round += 1) {
      socket.send({ type: 'subscribe', id: 'x', payload: { query: follow } });
      socket.send({ type: 'complete', id: 'x' });
    }
    await socket.run({ query: '{ viewer { id } }' }).next();
    await eventually(async () => {
      expect(await server.metric('realtime_subscriptions{field="channelMessage"}')).toBeUndefined();
    });
    await socket.close();
    await eventually(async () => expect(await server.metric('realtime_groups')).toBe(0));
  });

  test('takes an operation id again before it was attached, and hears what it asked for last', async () => {
    const socket = await server.socket('ada');
    socket.run({ query: 'subscription { notificationReceived { id } }' }, 'x').leave();
    socket.run({ query: 'subscription { channelMessage(channel: "nowhere") { body } }' }, 'x').leave();
    const stream = socket.run({ query: follow }, 'x');
    await socket.run({ query: '{ viewer { id } }' }).next();
    await server.ask('ada', send, { body: 'hello' });

    expect((await stream.next()).data.channelMessage.body).toBe('hello');
    await socket.close();
  });

  test('leaves a WebSocket full of answers unread, and hears its subscription when it reads again', async () => {
    const socket = await server.socket('ada');
    const stream = socket.run({ query: follow });
    await socket.run({ query: '{ viewer { id } }' }).next();
    socket.socket.pause();
    const fields = Array.from({ length: 500 }, (_, index) => `a${index}: viewer { id roles user { name } }`);
    const answers = Array.from({ length: 200 }, () => socket.run({ query: `{ ${fields.join(' ')} }` }));
    for (const body of ['one', 'two', 'three']) await server.ask('ada', send, { body });
    socket.socket.resume();

    const heard = await stream.take(3);
    expect(heard.map(({ data }) => data.channelMessage.body)).toEqual(['one', 'two', 'three']);
    for (const answer of answers) expect((await answer.next()).data.a499.id).toBe('ada');
    await socket.close();
  });

  test('has a small buffer, and hears over SSE what is larger than it', async () => {
    const stream = await server.events('ada', { query: follow });
    await stream.opened;
    const bodies = Array.from({ length: 5 }, (_, index) => `${index} ${'x'.repeat(3_000)}`);
    for (const body of bodies) await server.ask('ada', send, { body });

    const heard = await stream.stream.take(5);
    expect(heard.map(({ data }) => data.channelMessage.body)).toEqual(bodies);
    stream.cut();
  });
});

describe('a large transaction that commits late', () => {
  test('is relayed at once and whole, though higher numbers went before it', async () => {
    const server = await testServer('postgres');
    const sql = postgres(server.databaseUrl!, { max: 2, onnotice: () => {} });
    const socket = await server.socket('ada');
    const stream = socket.run({ query: 'subscription { eventReceived { type } }' });
    await socket.run({ query: '{ viewer { id } }' }).next();
    const insert = (tx: postgres.Sql | postgres.TransactionSql, type: string, count: number) => tx`
      insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, payload)
      select gen_random_uuid(), '{everyone}', '{all}', '{""}', 'emitted', ${type}, '{"payload": 1, "senderId": null}'
        from generate_series(1, ${count}::int)`;
    await sql.begin(async (tx) => {
      await insert(tx, 'late', 2_500);
      await insert(sql, 'early', 10);
      await stream.take(10);
    });
    const committedAt = performance.now();
    const late = await stream.take(2_500);

    expect(performance.now() - committedAt).toBeLessThan(4_000);
    expect(new Set(late.map(({ data }) => data.eventReceived.type))).toEqual(new Set(['late']));
    await sql.end();
    await socket.close();
    await server.close();
  });
});

describe('two nodes with one database', () => {
  test('ask it next to nothing while they are idle, whoever wrote last', async () => {
    const one = await testServer('postgres');
    const other = await testServer('postgres', {}, one.databaseUrl!);
    await one.ask('ada', create);
    await other.ask('ada', send, { body: 'from the other' });
    const sql = postgres(one.databaseUrl!, { max: 1 });
    const count = async () => {
      const [row] =
        await sql`select xact_commit::int as count from pg_stat_database where datname = current_database()`;
      return row!.count as number;
    };
    const startedAt = performance.now();
    const before = await count();
    await eventually(() => expect(performance.now() - startedAt).toBeGreaterThan(3_000));
    const perSecond = ((await count()) - before) / ((performance.now() - startedAt) / 1_000);

    expect(perSecond).toBeLessThan(300);
    await sql.end();
    await other.close();
    await one.close();
  });
});
