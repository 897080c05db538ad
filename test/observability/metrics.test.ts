import { readFileSync } from 'node:fs';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { version } from '../../src/lib/version.ts';
import { Positions } from '../../src/realtime/position.ts';
import { eventually } from '../support/eventually.ts';
import { redisUrl, type TestServer, testServer } from '../support/server.ts';
import { SocketClient } from '../support/websocket.ts';

let server: TestServer;
/** Several nodes could share the database: what is counted is what was asked of this one. */
beforeAll(async () => {
  server = await testServer('postgres', { REDIS_URL: redisUrl() });
  await server.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
});
afterAll(() => server.close());

const listen = {
  query:
    'subscription Listen($after: Position) { channelMessage(channel: "general", after: $after) { body } }',
};

async function send(body: string): Promise<void> {
  const query =
    'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body }) { id } }';
  await server.ask('ada', query, { body });
}

/** Differences since it was made. */
async function since(...lines: string[]) {
  const read = () => Promise.all(lines.map(async (line) => (await server.metric(line)) ?? 0));
  const before = await read();
  return async () => (await read()).map((value, index) => value - before[index]!);
}

/** Holds a lock of the database's, as a transaction that takes long does. The answer lets go of it. */
async function hold(statement: string): Promise<() => Promise<void>> {
  const sql = postgres(server.databaseUrl!, { max: 1 });
  const held = await sql.reserve();
  await held.unsafe('begin');
  await held.unsafe(statement);
  return async () => {
    await held.unsafe('commit');
    held.release();
    await sql.end();
  };
}

describe('the metrics', () => {
  test('count connections that are open, that came, and why they went', async () => {
    const went = 'realtime_connections_closed_total{transport="websocket",reason=';
    const told = await since(
      'realtime_connections{transport="websocket"}',
      'realtime_connections_opened_total{transport="websocket"}',
      `${went}"left"}`,
      `${went}"lost"}`,
      `${went}"forbidden"}`,
    );
    const [stays, leaves, breaks] = await Promise.all([1, 2, 3].map(() => server.socket('ada')));
    const stranger = new SocketClient(`${server.url}/graphql`, { token: 'no token' });
    await leaves!.close();
    breaks!.cut();
    await stranger.closed;

    await eventually(async () => expect(await told()).toEqual([1, 4, 1, 1, 1]));
    await stays!.close();
  });

  test('count event streams as those, and their ends', async () => {
    const told = await since(
      'realtime_connections{transport="sse"}',
      'realtime_connections_opened_total{transport="sse"}',
      'realtime_connections_closed_total{transport="sse",reason="left"}',
    );
    const stream = await server.events('ada', listen);
    await stream.opened;
    expect(await told()).toEqual([1, 1, 0]);

    stream.cut();
    await eventually(async () => expect(await told()).toEqual([0, 1, 1]));
  });

  test('count subscriptions by field, and the reasons for which they catch up', async () => {
    const told = await since(
      'realtime_subscriptions{field="channelMessage"}',
      'realtime_catchups_total{reason="start"}',
      'realtime_catchups_total{reason="resume"}',
      'realtime_resumes_total{outcome="continued"}',
    );
    const socket = await server.socket('ada');
    const { position } = await socket.acknowledged;
    const [from, resumed] = [socket.run(listen), socket.run({ ...listen, variables: { after: position } })];
    await eventually(async () => expect(await told()).toEqual([2, 1, 1, 1]));

    for (const stream of [from, resumed]) stream.leave();
    await eventually(async () => expect(await told()).toEqual([0, 1, 1, 1]));
    await socket.close();
  });

  test('count a resume that cannot be continued', async () => {
    const told = await since('realtime_resumes_total{outcome="expired"}');
    const socket = await server.socket('ada');
    const elsewhere = new Positions([{ id: 'ff'.repeat(8), key: Buffer.alloc(32), until: null }]);
    const answer = await socket.run({ ...listen, variables: { after: elsewhere.seal(1) } }).next();
    expect(answer.errors![0]!.extensions.code).toBe('POSITION_EXPIRED');

    expect(await told()).toEqual([1]);
    await socket.close();
  });

  test('follow an event: published, executed once, and written to each connection', async () => {
    const [socket, other] = await Promise.all([server.socket('ada'), server.socket('ada')]);
    const events = await server.events('ada', listen);
    await events.opened;
    const streams = [socket.run(listen), other.run(listen)];
    for (const each of [socket, other]) await each.run({ query: '{ position }' }).next();
    await eventually(async () => expect(await server.metric('realtime_groups')).toBe(1));
    const told = await since(
      'realtime_events_published_total{kind="message"}',
      'realtime_executions_total',
      'realtime_deliveries_total{transport="websocket"}',
      'realtime_deliveries_total{transport="sse"}',
      'realtime_relay_batch_seconds_count',
      'realtime_relay_lag_seconds_count',
    );
    const measured = await since('realtime_delivery_seconds_count', 'realtime_delivery_seconds_sum');
    await send('counted');
    for (const stream of [...streams, events.stream]) await stream.next();

    expect(await told()).toEqual([1, 1, 2, 1, 1, 1]);
    const [count, seconds] = await measured();
    expect(count).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(10);
    events.cut();
    for (const each of [socket, other]) await each.close();
  });

  test('do not take a replay of the past for a late delivery', async () => {
    const { position } = await server.ask('ada', '{ position }');
    await send('of the past');
    const told = await since('realtime_delivery_seconds_count');
    const socket = await server.socket('ada');
    await socket.run({ ...listen, variables: { after: position } }).next();

    expect(await told()).toEqual([0]);
    await socket.close();
  });

  test('count operations by kind and outcome, and refusals by code', async () => {
    const of = (kind: string, outcome: string) =>
      `realtime_operation_seconds_count{kind="${kind}",outcome="${outcome}"}`;
    const told = await since(
      of('query', 'ok'),
      of('mutation', 'refused'),
      of('mutation', 'ok'),
      'realtime_refusals_total{code="NOT_FOUND"}',
      'realtime_refusals_total{code="GRAPHQL_VALIDATION_FAILED"}',
    );
    await server.run('ada', '{ position }');
    await server.run('ada', 'mutation { joinChannel(name: "nowhere") { id } }');
    await server.run('ada', '{ nothing }');
    await send('one more');
    const socket = await server.socket('ada');
    await socket.run({ query: '{ nothing }' }).frame();

    expect(await told()).toEqual([1, 1, 1, 1, 2]);
    await socket.close();
  });

  test('tell what waits for the relay, and how long', async () => {
    const release = await hold('select from realtime_relay for update');
    await send('waits');
    await eventually(async () => {
      expect(await server.metric('realtime_outbox_depth')).toBeGreaterThanOrEqual(1);
      expect(await server.metric('realtime_outbox_age_seconds')).toBeGreaterThan(0);
    });
    await release();

    await eventually(async () => expect(await server.metric('realtime_outbox_depth')).toBe(0));
    expect(await server.metric('realtime_outbox_age_seconds')).toBe(0);
  });

  test('tell how far the journal is, and this node in it', async () => {
    const [before] = [await server.metric('realtime_journal_head')];
    await send('one further');

    await eventually(async () => {
      const head = (await server.metric('realtime_journal_head'))!;
      expect(head).toBeGreaterThan(before!);
      expect(await server.metric('realtime_watermark')).toBe(head);
    });
    expect(await server.metric('realtime_watermark_age_seconds')).toBeLessThan(5);
    expect(await server.metric('realtime_relay_leading')).toBe(1);
  });

  test('tell of the bus and of the database that they answer, and how fast', async () => {
    await eventually(async () => {
      expect(await server.metric('realtime_bus_connected')).toBe(1);
      expect(await server.metric('realtime_bus_round_trip_seconds')).toBeGreaterThan(0);
      expect(await server.metric('realtime_database_round_trip_seconds')).toBeGreaterThan(0);
    });
  });

  test('tell which transactions wait for a connection', async () => {
    const told = await since('realtime_database_transactions_total', 'realtime_database_wait_seconds_total');
    const release = await hold('lock table channels');
    const names = Array.from({ length: 12 }, (_, index) => `wait-${index}`);
    const created = names.map((name) =>
      server.ask('ada', `mutation { createChannel(input: { name: "${name}" }) { id } }`),
    );
    await eventually(async () => {
      expect(await server.metric('realtime_database_busy')).toBe(10);
      expect(await server.metric('realtime_database_waiting')).toBe(2);
    });
    await release();
    await Promise.all(created);

    const [transactions, seconds] = await told();
    expect(transactions).toBeGreaterThanOrEqual(12);
    expect(seconds).toBeGreaterThan(0);
  });

  test('name the version', async () => {
    const line = `realtime_build_info{version="${version}",node_version="${process.version}"}`;
    expect(await server.metric(line)).toBe(1);
  });
});

describe('the table of metrics', () => {
  const documented = [
    ...read('docs/metrics.md').matchAll(/^\| `(realtime_\w+)` *\| (\w+) *\| ([^|]*?) *\|/gm),
  ].map(([, name, type, labels]) => ({
    name: name!,
    type: type!,
    labels: [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label!),
  }));

  test('has exactly those that a server has, with their types', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const types = [...text.matchAll(/^# TYPE (realtime_\w+) (\w+)$/gm)];
    const known = types.map(([, name, type]) => ({ name, type }));

    expect(documented.map(({ name, type }) => ({ name, type })).sort(byName)).toEqual(known.sort(byName));
  });

  test('has their labels', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    for (const { name, labels } of documented) {
      const samples = text.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\} `, 'gm'));
      for (const [, pairs] of samples) {
        const found = [...pairs!.matchAll(/(\w+)="/g)].map(([, label]) => label!);
        expect(found.filter((label) => label !== 'le')).toEqual(labels);
      }
    }
  });
});

const byName = (one: { name?: string }, other: { name?: string }) => (one.name! < other.name! ? -1 : 1);
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
