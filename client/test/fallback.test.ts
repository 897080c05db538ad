import { expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { until } from '../../test/support/until.ts';
import { listen } from './support/heard.ts';
import { site } from './support/site.ts';
import { isAttached } from './support/waits.ts';

const there = site();

test('where WebSockets are blocked it takes Server-Sent Events, and a WebSocket again when one gets through', async () => {
  there.wire.blocksUpgrades = true;
  const client = there.client('ann');
  const channel = await there.channel('ann');
  const heard = listen(client, channel);
  const isOver = (transport: string) => () =>
    client.connection.status === 'connected' && client.connection.transport === transport;
  await until('it is connected over SSE', 30_000, isOver('sse'));
  await isAttached(there, 1);
  await there.send('ann', channel, 'over a stream');
  await eventually(() => expect(heard.bodies).toEqual(['over a stream']));
  expect(await client.execute<{ viewer: { id: string } }, never>({ document: '{ viewer { id } }' })).toEqual({
    viewer: { id: 'ann' },
  });

  // Tried in vain, the stream goes on.
  const before = there.wire.connections;
  client.reconnect();
  await until('a WebSocket has been tried', 30_000, () => there.wire.connections > before);
  await there.send('ann', channel, 'still over a stream');
  await eventually(() => expect(heard.bodies).toEqual(['over a stream', 'still over a stream']));
  expect(isOver('sse')()).toBe(true);

  there.wire.blocksUpgrades = false;
  client.reconnect();
  await until('it is connected over a WebSocket', 30_000, isOver('ws'));
  await there.send('ann', channel, 'over a socket');
  await eventually(() =>
    expect(heard.bodies).toEqual(['over a stream', 'still over a stream', 'over a socket']),
  );
  await isAttached(there, 1);
});

test('a client that was merely offline ends on a WebSocket, also where the network was back for a stream first', async () => {
  const client = there.client('ann');
  const channel = await there.channel('ann');
  there.wire.isDown = true;
  const transports: string[] = [];
  client.onConnection(() => {
    const { connection } = client;
    if (connection.status === 'connecting' && connection.transport === 'sse') there.wire.isDown = false;
    if (connection.status === 'connected') transports.push(connection.transport);
  });
  const heard = listen(client, channel);
  // Long before the minute after which it would look anyway.
  await until('it is connected over a WebSocket', 30_000, () => transports.at(-1) === 'ws');
  expect(transports[0]).toBe('sse');
  await isAttached(there, 1);
  await there.send('ann', channel, 'over a socket');
  await eventually(() => expect(heard.bodies).toEqual(['over a socket']));
});
