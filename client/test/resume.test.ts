import { describe, expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { until } from '../../test/support/until.ts';
import type { RealtimeClient, RealtimeTransport } from '../src/index.ts';
import { listen } from './support/heard.ts';
import { site } from './support/site.ts';

const there = site();
const transports: readonly RealtimeTransport[] = ['ws', 'sse'];
const field = 'realtime_subscriptions{field="channelMessage"}';
const subscriptions = async () => (await there.server.metric(field)) ?? 0;
const connected = (client: RealtimeClient) =>
  until('it is connected', 30_000, () => client.connection.status === 'connected');
/** Subscribed to on the server: what commits from now on is heard. */
const attached = (count: number) =>
  until(`${count} subscriptions are open`, 30_000, async () => (await subscriptions()) === count);

describe.each(transports)('over %s', (transport) => {
  test('what is sent while the wire is cut comes when it is back, once and in order', async () => {
    const channel = await there.channel('ann');
    const client = there.client('ann', { transport });
    const heard = listen(client, channel);
    await attached(1);
    await there.send('ann', channel, '1', '2');
    await eventually(() => expect(heard.bodies).toEqual(['1', '2']));

    there.wire.isDown = true;
    there.wire.cut();
    await there.send('ann', channel, '3', '4');
    there.wire.isDown = false;
    await eventually(() => expect(heard.bodies).toEqual(['1', '2', '3', '4']));
    await there.send('ann', channel, '5');
    await eventually(() => expect(heard.bodies).toEqual(['1', '2', '3', '4', '5']));
    heard.end();
    await attached(0);
  });

  test('before its first event it continues from where its connection began', async () => {
    const channel = await there.channel('ann');
    const heard = listen(there.client('ann', { transport }), channel);
    await attached(1);
    there.wire.isDown = true;
    there.wire.cut();
    await there.send('ann', channel, 'missed');
    there.wire.isDown = false;
    await eventually(() => expect(heard.bodies).toEqual(['missed']));
    heard.end();
    await attached(0);
  });

  test('a subscription that is refused is told so, and no other', async () => {
    const channel = await there.channel('ann');
    const client = there.client('ann', { transport });
    const heard = listen(client, channel);
    const refused = listen(client, 'nowhere');
    await eventually(() => expect(refused.errors.map(({ code }) => code)).toEqual(['NOT_FOUND']));
    await attached(1);
    await there.send('ann', channel, 'still there');
    await eventually(() => expect(heard.bodies).toEqual(['still there']));
    expect(heard.errors).toEqual([]);
    heard.end();
    await attached(0);
  });
});

test('a connection that has fallen silent is noticed, and given up', async () => {
  const client = there.client('ann');
  const channel = await there.channel('ann');
  const heard = listen(client, channel);
  await connected(client);
  await attached(1);
  there.wire.swallows = true;
  client.reconnect();
  await until('it has noticed', 30_000, () => client.connection.status !== 'connected');
  await there.send('ann', channel, 'meanwhile');
  there.wire.swallows = false;
  there.wire.cut();
  await eventually(() => expect(heard.bodies).toEqual(['meanwhile']));
  heard.end();
});
