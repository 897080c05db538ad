import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { spawnServer, tokenOf } from '../support/process.ts';
import { testServer } from '../support/server.ts';
import { SocketClient } from '../support/websocket.ts';

const sessions =
  'query Of($userId: ID) { sessions(userId: $userId) { edges { node { id node } } totalCount } }';
const disconnect = 'mutation End($connectionId: ID!) { disconnect(connectionId: $connectionId) }';
const stats = '{ stats { nodes connections } }';

test('of three nodes, one that is killed leaves no session behind, and the others keep theirs', async () => {
  const one = await testServer('postgres', { PRESENCE_GRACE_SECONDS: '0' });
  const two = await testServer('postgres', { PRESENCE_GRACE_SECONDS: '0' }, one.databaseUrl!);
  onTestFinished(async () => {
    await two.close();
    await one.close();
  });
  const three = await spawnServer({ DATABASE_URL: one.databaseUrl! });
  const ask = async (query: string, variables = {}) => one.ask('root', query, variables, ['admin']);
  const connected = async (userId: string) => (await ask(sessions, { userId })).sessions;
  const isOnline = async (id: string) => (await ask(`{ user(id: "${id}") { online } }`)).user.online;

  const [bob, other] = [await two.socket('bob'), await two.socket('bob')];
  const eve = new SocketClient(`${three.url}/graphql`, { token: await tokenOf('eve') });
  const { connectionId } = await eve.acknowledged;
  // What is open on another node shows within a moment.
  await eventually(async () => {
    expect((await ask(stats)).stats).toEqual({ nodes: 3, connections: 3 });
    expect((await connected('bob')).totalCount).toBe(2);
    expect((await connected('eve')).edges).toMatchObject([{ node: { id: connectionId } }]);
  });
  expect(await ask(disconnect, await other.acknowledged)).toEqual({ disconnect: 1 });
  expect((await other.closed).code).toBe(4403);

  const [{ node }] = await one.sql(`select node from realtime_connections where user_id = 'eve'`);
  three.signal('SIGKILL');
  await three.ended;
  await one.sql(`update realtime_nodes set seen_at = seen_at - interval '10 s' where id = '${node}'`);
  await eventually(async () => {
    expect(await connected('eve')).toEqual({ edges: [], totalCount: 0 });
    expect(await isOnline('eve')).toBe(false);
    expect((await ask(stats)).stats).toEqual({ nodes: 2, connections: 1 });
  });
  expect((await connected('bob')).totalCount).toBe(1);
  expect(await isOnline('bob')).toBe(true);
  await bob.close();
});
