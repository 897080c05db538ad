import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { type TestServer, testServer } from '../../test/support/server.ts';
import { memoryPositions } from '../src/positions.ts';
import { listen, messagesOf } from './support/heard.ts';
import { site } from './support/site.ts';
import { isAttached } from './support/waits.ts';

const there = site();
let elsewhere: TestServer;
beforeAll(async () => {
  elsewhere = await testServer('embedded');
});
afterAll(() => elsewhere.close());

/** A position that this server cannot continue from: of another database. */
const foreign = async () => (await elsewhere.ask('ann', '{ position }')).position as string;

test('with a key and a storage, what was sent between two loads of a page comes in the second', async () => {
  const storage = memoryPositions();
  const channel = await there.channel('ann');
  const first = there.client('ann', { storage });
  const heard = listen(first, channel, { key: 'messages' });
  await isAttached(there, 1);
  await there.send('ann', channel, '1');
  await eventually(() => expect(heard.bodies).toEqual(['1']));
  first.dispose();
  await there.send('ann', channel, '2', '3');

  const again = listen(there.client('ann', { storage }), channel, { key: 'messages' });
  await eventually(() => expect(again.bodies).toEqual(['2', '3']));
  expect(heard.bodies).toEqual(['1']);
});

test('also where no event had come in the first', async () => {
  const storage = memoryPositions();
  const channel = await there.channel('ann');
  const first = there.client('ann', { storage });
  listen(first, channel, { key: 'messages' });
  await isAttached(there, 1);
  first.dispose();
  await there.send('ann', channel, 'missed');
  const again = listen(there.client('ann', { storage }), channel, { key: 'messages' });
  await eventually(() => expect(again.bodies).toEqual(['missed']));
});

test('a subscription under a key that is left and begun anew in one page continues as well', async () => {
  const client = there.client('ann');
  const channel = await there.channel('ann');
  listen(client, channel, { key: 'messages' }).end();
  const heard = listen(client, channel, { key: 'messages' });
  await isAttached(there, 1);
  heard.end();
  await isAttached(there, 0);
  await there.send('ann', channel, 'between');
  const again = listen(client, channel, { key: 'messages' });
  await eventually(() => expect(again.bodies).toEqual(['between']));
});

test.each([
  ['of another database', foreign],
  ['that is none', async () => 'no position'],
])(
  'a kept position %s is told as a resync, and the subscription goes on from now',
  async (_what, position) => {
    const channel = await there.channel('ann');
    const storage = memoryPositions();
    storage.set('messages', await position());
    await there.send('ann', channel, 'before');
    const resyncs: unknown[] = [];
    const client = there.client('ann', { storage, onResync: (what) => resyncs.push(what) });
    const heard = listen(client, channel, { key: 'messages' });
    await eventually(() => expect(heard.resyncs).toBe(1));
    expect(resyncs).toEqual([{ key: 'messages', request: messagesOf(channel) }]);
    // Live from before the resync was told: who fetches the state then misses nothing.
    await there.send('ann', channel, 'after');
    await eventually(() => expect(heard.bodies).toEqual(['after']));
    expect(heard.errors).toEqual([]);
    expect(heard.resyncs).toBe(1);
  },
);

test('`after` is where a subscription begins, and a text that is none is refused', async () => {
  const channel = await there.channel('ann');
  const { position } = await there.server.ask('ann', '{ position }');
  await there.send('ann', channel, 'behind it');
  const client = there.client('ann');
  const heard = listen(client, channel, { after: position });
  const refused = listen(client, channel, { after: 'no position' });
  await eventually(() => expect(heard.bodies).toEqual(['behind it']));
  await eventually(() => expect(refused.errors.map(({ code }) => code)).toEqual(['BAD_USER_INPUT']));
});
