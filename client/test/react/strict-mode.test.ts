import { createElement, Fragment, useState } from 'react';
import { expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import {
  useChannel,
  useConnection,
  useEvents,
  useInbox,
  useModel,
  useUnreadCount,
} from '../../src/react/index.ts';
import { counting } from '../support/counting.ts';
import { page } from '../support/page.ts';
import { site } from '../support/site.ts';

const there = site();
const { draw, show } = page();
const open = async (field: string) =>
  (await there.server.metric(`realtime_subscriptions{field="${field}"}`)) ?? 0;

test('components that look at the same in StrictMode share one socket and one subscription, and agree', async () => {
  const channel = await there.channel('ann');
  await there.send('ann', channel, 'one');
  const before = there.wire.connections;
  const counted = counting(there.client('ann'));
  const each = Array.from({ length: 5 }, () =>
    draw(counted.client, () => [useChannel(channel), useInbox(), useUnreadCount()] as const),
  );
  await eventually(() => {
    for (const { value } of each) expect(value[0].messages.map(({ body }) => body)).toEqual(['one']);
  });
  await there.send('ann', channel, 'two');
  await eventually(() => {
    for (const { value } of each) expect(value[0].messages.map(({ body }) => body)).toEqual(['one', 'two']);
  });
  // The channel's, the inbox's changes and its arrivals.
  expect(counted.begun).toBe(3);
  expect(await open('channelMessage')).toBe(1);
  expect(await open('modelUpdated')).toBe(1);
  expect(await open('notificationReceived')).toBe(1);
  expect(there.wire.openConnections).toBe(there.wire.connections - before);
});

test('an event is heard once by each component that listens, in StrictMode as well', async () => {
  const heard: string[] = [];
  const { client } = counting(there.client('ann'));
  for (const name of ['first', 'second']) {
    draw(client, () => useEvents({ types: ['doorbell'] }, ({ payload }) => heard.push(`${name} ${payload}`)));
  }
  await eventually(async () => expect(await open('eventReceived')).toBe(2));
  for (const payload of [1, 2]) {
    await there.server.ask(
      'root',
      `mutation { emitEvent(input: { type: "doorbell", payload: ${payload} }) }`,
      {},
      ['service'],
    );
  }
  await eventually(() => expect([...heard].sort()).toEqual(['first 1', 'first 2', 'second 1', 'second 2']));
});

test('nothing is left of a thousand components that came and went', { timeout: 300_000 }, async () => {
  const channel = await there.channel('ann');
  const counted = counting(there.client('ann'));
  const Everything = () => {
    const { messages } = useChannel(channel);
    const { notifications } = useInbox();
    const { record } = useModel('User', 'ann');
    const { status } = useConnection();
    const [count] = useState(0);
    useEvents({}, () => {});
    return createElement(
      Fragment,
      null,
      `${status} ${count + messages.length + notifications.length} ${record?.id}`,
    );
  };
  for (let mount = 0; mount < 1_000; mount += 1) {
    const shown = show(counted.client, Everything);
    if (mount % 100 === 0) await eventually(() => expect(shown.text).toMatch(/^connected .* ann$/));
    // Some are gone before anything has happened, some in the middle of it.
    else if (mount % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    shown.leave();
  }
  await eventually(() =>
    expect([counted.subscriptions, counted.listeners, counted.requests]).toEqual([0, 0, 0]),
  );
  for (const field of ['channelMessage', 'modelUpdated', 'notificationReceived', 'eventReceived']) {
    await eventually(async () => expect(await open(field)).toBe(0));
  }
  await eventually(() => expect(counted.client.connection.status).toBe('idle'));
});
