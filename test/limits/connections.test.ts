import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { TestServer } from '../support/server.ts';
import { SocketClient } from '../support/websocket.ts';
import { type Site, sites, startSite, times, Visitor } from './site.ts';

const listen = { query: 'subscription { notificationReceived { id } }' };
const tooMany = { code: 1013, reason: 'Too many connections' };

/** Whether a socket is let in, or how it is closed. */
const outcome = (socket: SocketClient) =>
  Promise.race([socket.acknowledged.then(() => 'open'), socket.closed]);

/** Until this ends it is open. */
function forTheTest(socket: SocketClient): SocketClient {
  onTestFinished(() => socket.cut());
  return socket;
}

describe.each(sites)('too many connections of one user on %s', (kind) => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite(kind, { MAX_CONNECTIONS_PER_USER: '3' });
  });
  afterAll(() => site.close());

  /** What others know of it. */
  async function registered(visitor: Visitor, count: number): Promise<void> {
    if (kind === 'one node') return;
    await eventually(async () => {
      const [row] = await site.nodes[0]!.sql(
        `select count(*)::int as count from realtime_connections where is_active and user_id = '${visitor.userId}'`,
      );
      expect(row.count).toBe(count);
    });
  }

  /** As many as there may be, over both wires and on all nodes. */
  async function full(visitor: Visitor) {
    const sockets = [forTheTest(await visitor.socket()), forTheTest(await visitor.socket())];
    const stream = await visitor.stream(listen);
    onTestFinished(() => stream.cut());
    expect(await Promise.all(sockets.map(outcome))).toEqual(['open', 'open']);
    expect((await stream.response).statusCode).toBe(200);
    await stream.opened;
    await registered(visitor, 3);
    return { sockets, stream };
  }

  const onEachNode = <Result>(work: (node: TestServer) => Promise<Result>) =>
    Promise.all(site.nodes.map(work));

  test('are closed with 1013, and as event streams refused with 429', async () => {
    const ada = new Visitor(site);
    await full(ada);
    const refusedBefore = await onEachNode((node) =>
      node.metric('realtime_refusals_total{code="LIMIT_EXCEEDED"}'),
    );
    for (const closed of await onEachNode(async (node) => outcome(await ada.socket(node)))) {
      expect(closed).toEqual(tooMany);
    }
    for (const answer of await onEachNode((node) => ada.post(listen, 'text/event-stream', node))) {
      expect([answer.status, answer.errors?.[0]?.extensions]).toEqual([429, { code: 'LIMIT_EXCEEDED' }]);
    }
    const refused = await onEachNode((node) => node.metric('realtime_refusals_total{code="LIMIT_EXCEEDED"}'));
    expect(refused).toEqual(refusedBefore.map((count) => (count ?? 0) + 2));
  });

  test('are as many again when one has left, and those of others', async () => {
    const ada = new Visitor(site);
    const { sockets, stream } = await full(ada);
    await sockets[0]!.close();
    stream.cut();
    await registered(ada, 1);
    await eventually(async () => expect(await outcome(forTheTest(await ada.socket()))).toBe('open'));
    expect(await outcome(forTheTest(await new Visitor(site).socket()))).toBe('open');
  });

  test('are none for role service', async () => {
    const service = new Visitor(site, { roles: ['service'] });
    const outcomes = await times(8, async () => outcome(forTheTest(await service.socket())));
    expect(outcomes).toEqual(Array(8).fill('open'));
  });

  test('that come at the same moment are no more in the end', async () => {
    const ada = new Visitor(site);
    const opening = Array.from({ length: 8 }, () => ada.socket());
    const sockets = (await Promise.all(opening)).map(forTheTest);
    const closed: unknown[] = [];
    for (const socket of sockets) void socket.closed.then((reason) => closed.push(reason));
    await eventually(() => expect(closed.length).toBe(5));
    expect(closed).toEqual(Array(5).fill(tooMany));
    await registered(ada, 3);
    // Those that stay are not looked at too strictly, either.
    await Promise.all(sockets.map((socket) => Promise.race([socket.closed, socket.acknowledged])));
    expect(closed.length).toBe(5);
  });
});

describe('too many sockets that do not say whose they are', () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite('one node', { MAX_CONNECTIONS_PER_USER: '3' });
  });
  afterAll(() => site.close());

  /** A socket that is open, and over which nothing is said. */
  function silent(visitor: Visitor): SocketClient {
    const headers = { 'x-forwarded-for': visitor.address };
    const socket = new SocketClient(`${site.nodes[0]!.url}/graphql`, undefined, { headers });
    socket.socket.removeAllListeners('open');
    return forTheTest(socket);
  }

  test('of one address are closed with 1013, and another address has its own', async () => {
    const [mallory, ada] = [new Visitor(site), new Visitor(site)];
    const sockets = Array.from({ length: 5 }, () => silent(mallory));
    // Nobody knows which of them come first.
    const closed: unknown[] = [];
    for (const socket of sockets) void socket.closed.then((reason) => closed.push(reason));
    await eventually(() => expect(closed).toEqual([tooMany, tooMany]));
    expect(await outcome(forTheTest(await ada.socket()))).toBe('open');
    // It is a place like any other: whoever has said who they are does not take one.
    expect(await outcome(forTheTest(await mallory.socket()))).toEqual(tooMany);
    sockets.find(({ socket }) => socket.readyState === socket.OPEN)!.cut();
    await eventually(async () => expect(await outcome(forTheTest(await mallory.socket()))).toBe('open'));
    await eventually(async () => expect(await outcome(forTheTest(await mallory.socket()))).toBe('open'));
  });
});
