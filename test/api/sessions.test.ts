import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { eventually } from '../support/eventually.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const own = `{ viewer { sessions {
  __typename id user { id } transport ipAddress userAgent channels subscriptionCount node connectedAt lastPing
} } }`;
const all = `query All($userId: ID, $channel: String, $first: Int, $after: String) {
  sessions(userId: $userId, channel: $channel, first: $first, after: $after) {
    edges { node { id user { id } } cursor } pageInfo { hasNextPage hasPreviousPage endCursor } totalCount
  }
}`;
const follow = (channel: string) => ({
  query: `subscription { channelMessage(channel: "${channel}") { body } }`,
});
const isOnline = async (server: TestServer, id: string) =>
  (await server.ask('root', 'query Online($id: ID!) { user(id: $id) { online } }', { id })).user.online;

describe.each(databases)('sessions on %s', (kind) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer(kind);
    for (const name of ['general', 'other']) {
      await server.ask(
        'ada',
        'mutation Create($name: String!) { createChannel(input: { name: $name }) { id } }',
        { name },
      );
    }
  });
  afterAll(() => server.close());

  const ofViewer = async (id: string) => (await server.ask(id, own)).viewer.sessions;
  const list = async (variables: Record<string, unknown> = {}) =>
    (await server.ask('root', all, variables, ['admin'])).sessions;
  const codeOf = async (
    variables: Record<string, unknown>,
    roles: ['admin'] | ['service'] | [] = ['admin'],
  ) => (await server.run('root', all, variables, roles)).errors?.[0]?.extensions.code;

  test("are the viewer's own connections as soon as they are open, newest first", async () => {
    expect(await ofViewer('ada')).toEqual([]);
    const socket = await server.socket('ada');
    const { connectionId } = await socket.acknowledged;
    const [first] = await ofViewer('ada');
    expect(first).toMatchObject({
      __typename: 'Session',
      id: connectionId,
      user: { id: 'ada' },
      transport: 'WEBSOCKET',
    });
    expect(first).toMatchObject({ channels: [], subscriptionCount: 0, userAgent: null });
    expect(first.ipAddress).toMatch(/127\.0\.0\.1|::1/);
    for (const instant of [first.connectedAt, first.lastPing]) {
      expect(Math.abs(Date.parse(instant) - Date.now())).toBeLessThan(60_000);
    }

    const events = await server.events('ada', follow('general'), { 'user-agent': 'curl/8' });
    await events.opened;
    expect(await ofViewer('ada')).toMatchObject([
      {
        transport: 'SSE',
        userAgent: 'curl/8',
        channels: ['general'],
        subscriptionCount: 1,
        node: first.node,
      },
      { id: connectionId },
    ]);
    expect(await ofViewer('bob')).toEqual([]);
    events.cut();
    await socket.close();
    await eventually(async () => expect(await ofViewer('ada')).toEqual([]));
  });

  test('tell what a connection is subscribed to: each channel once, and no longer when it has left', async () => {
    const socket = await server.socket('ada');
    const streams = [
      follow('general'),
      follow('general'),
      follow('other'),
      { query: 'subscription { eventReceived { id } }' },
    ].map((operation) => socket.run(operation));
    await socket.run({ query: '{ viewer { id } }' }).next();
    expect(await ofViewer('ada')).toMatchObject([{ channels: ['general', 'other'], subscriptionCount: 4 }]);
    streams[2]!.leave();
    await socket.run({ query: '{ viewer { id } }' }).next();
    expect(await ofViewer('ada')).toMatchObject([{ channels: ['general'], subscriptionCount: 3 }]);
    await socket.close();
  });

  test('of everybody are read by an admin page by page, and counted', async () => {
    const people = ['cy', 'di', 'cy', 'di', 'cy'];
    const sockets = [];
    for (const person of people) sockets.push(await server.socket(person));
    const ids = await Promise.all(sockets.map(async ({ acknowledged }) => (await acknowledged).connectionId));
    const newestFirst = ids.toReversed();

    await eventually(async () => expect((await list()).totalCount).toBe(5));
    const pages = [];
    for (let after: string | null = null; ; ) {
      const page = await list({ first: 2, after });
      pages.push(page.edges.map(({ node }: { node: { id: string } }) => node.id));
      expect(page.totalCount).toBe(5);
      after = page.pageInfo.endCursor;
      if (!page.pageInfo.hasNextPage) break;
    }
    expect(pages).toEqual([newestFirst.slice(0, 2), newestFirst.slice(2, 4), newestFirst.slice(4)]);
    const ofCy = await list({ userId: 'cy', first: 2 });
    expect(ofCy.totalCount).toBe(3);
    expect(ofCy.edges.map(({ node }: { node: object }) => node)).toEqual([
      { id: ids[4], user: { id: 'cy' } },
      { id: ids[2], user: { id: 'cy' } },
    ]);
    await Promise.all(sockets.map((socket) => socket.close()));
    await eventually(async () => expect(await list()).toMatchObject({ edges: [], totalCount: 0 }));
  });

  test('are found by the channel that they are subscribed to', async () => {
    const [here, elsewhere] = [await server.socket('ada'), await server.socket('bob')];
    here.run(follow('general'));
    elsewhere.run(follow('other'));
    for (const socket of [here, elsewhere]) await socket.run({ query: '{ viewer { id } }' }).next();
    const { connectionId } = await here.acknowledged;
    expect(await list({ channel: 'general' })).toMatchObject({
      edges: [{ node: { id: connectionId } }],
      totalCount: 1,
    });
    expect(await list({ channel: 'general', userId: 'bob' })).toMatchObject({ edges: [], totalCount: 0 });
    await here.close();
    await elsewhere.close();
  });

  test('whose user is no more are shown without one', async () => {
    const socket = await server.socket('gone');
    await server.sql("delete from users where id = 'gone'");
    const { connectionId } = await socket.acknowledged;
    const { edges } = await list();
    expect(edges.map(({ node }: { node: object }) => node)).toContainEqual({ id: connectionId, user: null });
    await socket.close();
  });

  test.each([
    ['an unknown user', { userId: 'nobody' }, 'NOT_FOUND'],
    ['a channel that is not there', { channel: 'nowhere' }, 'NOT_FOUND'],
    ['a cursor that is none', { after: 'x' }, 'BAD_USER_INPUT'],
    ['more than a page holds', { first: 101 }, 'BAD_USER_INPUT'],
  ])('are refused for %s', async (_what, variables, code) => {
    expect(await codeOf(variables)).toBe(code);
  });

  test('are counted in the metrics and the statistics as in the table', async () => {
    const [socket, events] = [await server.socket('ada'), await server.events('bob', follow('general'))];
    await events.opened;
    // One that has not said who it is yet is nobody's connection.
    const stranger = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    await new Promise((resolve) => stranger.once('open', resolve));
    await eventually(async () => expect((await list()).totalCount).toBe(2));
    expect(await server.metric('realtime_connections{transport="websocket"}')).toBe(1);
    expect(await server.metric('realtime_connections{transport="sse"}')).toBe(1);
    expect((await server.ask('root', '{ stats { connections } }', {}, ['admin'])).stats.connections).toBe(2);
    stranger.close();
    events.cut();
    await socket.close();
  });
});

describe('a user', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer('postgres', { PRESENCE_GRACE_SECONDS: '60' });
    for (const id of ['ada', 'bob', 'cy']) await server.ask(id, '{ viewer { id } }');
  });
  afterAll(() => server.close());

  /** As if it had closed so much earlier. */
  const elapse = (seconds: number) =>
    server.sql(`update realtime_connections set closed_at = closed_at - interval '${seconds} s'`);
  const rowsOf = (id: string) =>
    server.sql(`select 1 from realtime_connections where user_id = '${id}' and closed_at is null`);
  const closed = (id: string) => eventually(async () => expect(await rowsOf(id)).toEqual([]));

  test('is online while connected by whatever wire, and for the grace after that', async () => {
    expect(await isOnline(server, 'ada')).toBe(false);
    const socket = await server.socket('ada');
    const events = await server.events('ada', { query: 'subscription { eventReceived { id } }' });
    await events.opened;
    expect(await isOnline(server, 'ada')).toBe(true);
    // One that is gone before it was written down was never there.
    await eventually(async () => expect(await rowsOf('ada')).toHaveLength(2));
    await socket.close();
    await elapse(3_600);
    expect(await isOnline(server, 'ada')).toBe(true);
    events.cut();
    await closed('ada');
    expect(await isOnline(server, 'ada')).toBe(true);
    await elapse(59);
    expect(await isOnline(server, 'ada')).toBe(true);
    await elapse(2);
    expect(await isOnline(server, 'ada')).toBe(false);
  });

  test('is not online for having asked over HTTP', async () => {
    await server.ask('cy', '{ viewer { id } }');
    expect(await isOnline(server, 'cy')).toBe(false);
  });

  test('who is connected to another node is online here, and not once that node has died', async () => {
    const other = await testServer('postgres', { PRESENCE_GRACE_SECONDS: '60' }, server.databaseUrl!);
    const socket = await other.socket('bob');
    await eventually(async () => expect(await isOnline(server, 'bob')).toBe(true));
    // What is left of a node that was killed.
    await socket.close();
    await other.close();
    await server.sql(
      "update realtime_connections set node = 'killed', is_active = true, closed_at = null where user_id = 'bob'",
    );
    expect(await isOnline(server, 'bob')).toBe(true);
    await closed('bob');
    expect(await isOnline(server, 'bob')).toBe(true);
    await elapse(61);
    expect(await isOnline(server, 'bob')).toBe(false);
  });

  test('is shown as they were when a payload was rendered, by one execution for all', async () => {
    await server.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
    const query = 'subscription { channelMessage(channel: "general") { sender { id online } } }';
    const executions = () => server.metric('realtime_executions_total');
    const sockets = await Promise.all(['bob', 'cy'].map((person) => server.socket(person)));
    const streams = sockets.map((socket) => socket.run({ query }));
    for (const socket of sockets) await socket.run({ query: '{ viewer { id } }' }).next();
    const send = 'mutation { sendMessage(input: { channel: "general", body: "x" }) { id } }';
    const before = (await executions())!;
    await server.ask('ada', send);
    for (const stream of streams) {
      expect((await stream.next()).data.channelMessage.sender).toEqual({ id: 'ada', online: false });
    }
    const ada = await server.socket('ada');
    await server.ask('ada', send);
    for (const stream of streams) {
      expect((await stream.next()).data.channelMessage.sender).toEqual({ id: 'ada', online: true });
    }
    expect((await executions())! - before).toBe(2);
    for (const socket of [ada, ...sockets]) await socket.close();
  });
});
