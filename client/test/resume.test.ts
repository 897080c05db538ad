import { describe, expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { until } from '../../test/support/until.ts';
import type { RealtimeTransport } from '../src/index.ts';
import { listen } from './support/heard.ts';
import { site } from './support/site.ts';
import { hasStatus, isAttached } from './support/waits.ts';

const there = site();
const transports: readonly RealtimeTransport[] = ['ws', 'sse'];

describe.each(transports)('over %s', (transport) => {
  test('what is sent while the wire is cut comes when it is back, once and in order', async () => {
    const channel = await there.channel('ann');
    const client = there.client('ann', { transport });
    const heard = listen(client, channel);
    await isAttached(there, 1);
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
    await isAttached(there, 0);
  });

  test('before its first event it continues from where its connection began', async () => {
    const channel = await there.channel('ann');
    const heard = listen(there.client('ann', { transport }), channel);
    await isAttached(there, 1);
    there.wire.isDown = true;
    there.wire.cut();
    await there.send('ann', channel, 'missed');
    there.wire.isDown = false;
    await eventually(() => expect(heard.bodies).toEqual(['missed']));
    heard.end();
    await isAttached(there, 0);
  });

  test('a subscription that is refused is told so, and no other', async () => {
    const channel = await there.channel('ann');
    const client = there.client('ann', { transport });
    const heard = listen(client, channel);
    const refused = listen(client, 'nowhere');
    await eventually(() => expect(refused.errors.map(({ code }) => code)).toEqual(['NOT_FOUND']));
    await isAttached(there, 1);
    await there.send('ann', channel, 'still there');
    await eventually(() => expect(heard.bodies).toEqual(['still there']));
    expect(heard.errors).toEqual([]);
    heard.end();
    await isAttached(there, 0);
  });

  test('a listener that ends its subscription in the middle hears nothing more', async () => {
    const channel = await there.channel('ann');
    const heard = listen(there.client('ann', { transport }), channel);
    const next = heard.next.bind(heard);
    heard.next = (result) => {
      next(result);
      heard.end();
    };
    await isAttached(there, 1);
    await there.send('ann', channel, 'heard', 'not heard');
    await isAttached(there, 0);
    expect(heard.bodies).toEqual(['heard']);
  });
});

test.each(transports)(
  'one that began late over %s hears what was sent since it began, and nothing before',
  async (transport) => {
    const client = there.client('ann', { transport });
    const [one, other] = [await there.channel('ann'), await there.channel('ann')];
    const first = listen(client, one);
    await isAttached(there, 1);
    await there.send('ann', other, 'too early');
    // It has been relayed when what came after it is there.
    await there.send('ann', one, 'behind it');
    await eventually(() => expect(first.bodies).toHaveLength(1));
    for (const round of [1, 2, 3]) {
      const late = listen(client, other);
      await isAttached(there, 2);
      there.wire.isDown = true;
      there.wire.cut();
      await there.send('ann', other, `missed ${round}`);
      there.wire.isDown = false;
      await eventually(() => expect(late.bodies).toEqual([`missed ${round}`]));
      late.end();
      await isAttached(there, 1);
    }
  },
);

test('one that is cut off before it was sent begins when there is a connection again', async () => {
  const client = there.client('ann');
  const [one, other] = [await there.channel('ann'), await there.channel('ann')];
  listen(client, one);
  await isAttached(there, 1);
  await there.send('ann', other, 'too early');
  there.wire.swallows = true;
  const late = listen(client, other);
  there.wire.swallows = false;
  there.wire.cut();
  await isAttached(there, 2);
  await there.send('ann', other, 'in time');
  await eventually(() => expect(late.bodies).toEqual(['in time']));
});

test('all subscriptions of a client have one socket', async () => {
  const client = there.client('ann');
  const channel = await there.channel('ann');
  await isAttached(there, 0);
  const before = there.wire.connections;
  const heard = Array.from({ length: 20 }, () => listen(client, channel));
  await isAttached(there, 20);
  expect(there.wire.connections - before).toBe(1);
  await there.send('ann', channel, 'for all');
  await eventually(() => expect(heard.map(({ bodies }) => bodies)).toEqual(heard.map(() => ['for all'])));
});

test('a connection that has fallen silent is noticed, and given up', async () => {
  const client = there.client('ann');
  const channel = await there.channel('ann');
  const heard = listen(client, channel);
  await hasStatus(client, 'connected');
  await isAttached(there, 1);
  there.wire.swallows = true;
  client.reconnect();
  await until('it has noticed', 30_000, () => client.connection.status !== 'connected');
  await there.send('ann', channel, 'meanwhile');
  there.wire.swallows = false;
  there.wire.cut();
  await eventually(() => expect(heard.bodies).toEqual(['meanwhile']));
});
