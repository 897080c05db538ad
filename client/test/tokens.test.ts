import { expect, test } from 'vitest';
import { createTokens } from '../../src/auth/tokens.ts';
import { eventually } from '../../test/support/eventually.ts';
import { secret } from '../../test/support/server.ts';
import { until } from '../../test/support/until.ts';
import { expiryOf } from '../src/claims.ts';
import { listen } from './support/heard.ts';
import { site } from './support/site.ts';
import { hasStatus, isAttached } from './support/waits.ts';

const there = site();
const { sign } = createTokens({ secret });
const tokenFor = (seconds: number) => sign!({ userId: 'ann', roles: [], lifetimeMs: seconds * 1_000 });
const hasExpired = (token: string) =>
  until('the token has expired', 30_000, () => Date.now() > expiryOf(token)!);

test('a token is replaced on the open socket before it expires', async () => {
  const short = await tokenFor(3);
  const tokens = [short, await tokenFor(3_600)];
  const client = there.client('ann', { token: () => tokens.shift() ?? null });
  const channel = await there.channel('ann');
  const heard = listen(client, channel);
  await hasStatus(client, 'connected');
  const { connection } = client;
  await hasExpired(short);
  await there.send('ann', channel, 'after the first token');
  await eventually(() => expect(heard.bodies).toEqual(['after the first token']));
  expect(client.connection).toMatchObject({
    connectionId: (connection as { connectionId: string }).connectionId,
  });
  expect(tokens).toEqual([]);
});

test('a socket that is closed because its token has expired comes back with another, and nothing is lost', async () => {
  const short = await tokenFor(2);
  let asked = 0;
  const client = there.client('ann', {
    token: () => {
      asked += 1;
      if (asked === 1) return short;
      // Too late for the socket.
      if (Date.now() < expiryOf(short)!) throw new Error('nobody gives out tokens just now');
      return there.server.token('ann');
    },
  });
  const channel = await there.channel('ann');
  const heard = listen(client, channel);
  await isAttached(there, 1);
  const reasons: string[] = [];
  client.onConnection(() => {
    if (client.connection.status === 'waiting') reasons.push(client.connection.reason);
  });
  await there.send('ann', channel, 'before');
  await hasExpired(short);
  await there.send('ann', channel, 'after');
  await eventually(() => expect(heard.bodies).toEqual(['before', 'after']));
  await hasStatus(client, 'connected');
  expect(reasons).toEqual(['token expired']);
});

test('over Server-Sent Events a stream that ends with its token is continued with another', async () => {
  const short = await tokenFor(2);
  const tokens = [short];
  const client = there.client('ann', {
    transport: 'sse',
    token: () => tokens.shift() ?? there.server.token('ann'),
  });
  const channel = await there.channel('ann');
  const heard = listen(client, channel);
  await isAttached(there, 1);
  await there.send('ann', channel, 'before');
  await hasExpired(short);
  await there.send('ann', channel, 'after');
  await eventually(() => expect(heard.bodies).toEqual(['before', 'after']));
});

test.each(['ws', 'sse'] as const)(
  'over %s a token that is no good is asked for once more, then the client waits for the application',
  async (transport) => {
    const channel = await there.channel('ann');
    let token: string | null = 'no token';
    let asked = 0;
    const client = there.client('ann', {
      transport,
      token: () => {
        asked += 1;
        return token;
      },
    });
    const heard = listen(client, channel);
    await hasStatus(client, 'refused');
    expect(client.connection).toMatchObject({ code: transport === 'ws' ? 4403 : 401 });
    expect(asked).toBe(2);
    token = null;
    client.reconnect();
    await until('it is refused again', 30_000, () => asked === 4 && client.connection.status === 'refused');

    token = await there.server.token('ann');
    client.reconnect();
    await isAttached(there, 1);
    await there.send('ann', channel, 'signed in');
    await eventually(() => expect(heard.bodies).toEqual(['signed in']));
    heard.end();
    await isAttached(there, 0);
  },
);

test('while nobody gives out tokens it waits, and says why', async () => {
  let isAway = true;
  const client = there.client('ann', {
    token: () => (isAway ? Promise.reject(new Error('the sign-in is away')) : there.server.token('ann')),
  });
  listen(client, await there.channel('ann'));
  await hasStatus(client, 'waiting');
  expect(client.connection).toMatchObject({ reason: 'the sign-in is away' });
  isAway = false;
  await hasStatus(client, 'connected');
});

test('who is disconnected comes back, who is blocked is refused', async () => {
  const client = there.client('ben');
  const channel = await there.channel('ben');
  const heard = listen(client, channel);
  await isAttached(there, 1);
  await there.server.ask('root', 'mutation { disconnect(userId: "ben", reason: "go") }', {}, ['admin']);
  await until('it has been closed', 30_000, () => client.connection.status === 'waiting');
  await there.send('ben', channel, 'meanwhile');
  await eventually(() => expect(heard.bodies).toEqual(['meanwhile']));
  await there.server.ask('root', 'mutation { blockUser(id: "ben", blocked: true) { id } }', {}, ['admin']);
  await hasStatus(client, 'refused');
});
