import { expect, test } from 'vitest';
import { until } from '../../test/support/until.ts';
import { listen } from './support/heard.ts';
import { site } from './support/site.ts';
import { hasStatus, isAttached } from './support/waits.ts';

const there = site();
/** Those of the server go on by themselves: a few more or less say nothing. */
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('a thousand subscriptions that came and went leave nothing on the server, and one socket served all', async () => {
  const client = there.client('ann');
  const channel = await there.channel('ann');
  await there.server.metric('realtime_connections{transport="ws"}');
  const before = there.wire.connections;
  for (let round = 0; round < 50; round += 1) {
    const heard = Array.from({ length: 20 }, () => listen(client, channel));
    // Every other round is left before it has begun.
    if (round % 2 === 0) await hasStatus(client, 'connected');
    for (const { end } of heard) end();
  }
  await isAttached(there, 0);
  expect(there.wire.connections - before).toBe(1);
});

test('a client that is disposed of leaves no connection and no timer', async () => {
  const channel = await there.channel('ann');
  await until('nothing is left of the test before', 30_000, () => there.wire.openConnections === 0);
  const before = timers();
  const clients = Array.from({ length: 100 }, (_, index) =>
    there.client('ann', { transport: index % 2 === 0 ? 'ws' : 'sse' }),
  );
  for (const client of clients) listen(client, channel);
  await isAttached(there, clients.length);
  for (const client of clients) client.dispose();
  await isAttached(there, 0);
  await until('every connection is closed', 30_000, () => there.wire.openConnections === 0);
  await until('no timer is left', 30_000, () => timers() < before + 20);
});

test('what is disposed of says so, and nothing can be begun', async () => {
  const client = there.client('ann');
  client.dispose();
  expect(client.connection).toEqual({ status: 'disposed' });
  listen(client, 'general').end();
  client.reconnect();
  expect(client.connection).toEqual({ status: 'disposed' });
  await expect(client.execute({ document: '{ position }' })).rejects.toMatchObject({ code: 'NETWORK_ERROR' });
});
