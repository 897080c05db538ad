import { expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { until } from '../../test/support/until.ts';
import type { RealtimeClient } from '../src/index.ts';
import { memoryPositions } from '../src/positions.ts';
import { listen } from './support/heard.ts';
import { site } from './support/site.ts';
import { pageFiles, type Tab, tabs } from './support/tabs.ts';
import { isAttached } from './support/waits.ts';

const there = site({ DEMO: '1', DEMO_FILES: await pageFiles() });
const browser = tabs(() => there.wire.url);

function enqueue(client: RealtimeClient, channel: string, body: string): Promise<unknown> {
  const document = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { body } }';
  const variables = { input: { channel, body, clientId: `${channel} ${body}` } };
  return client.enqueue({ document, variables });
}

/** What is in a channel, oldest first. */
async function bodiesIn(channel: string): Promise<string[]> {
  const query = `{ channel(name: "${channel}") { messages(last: 50) { edges { node { body } } } } }`;
  const { channel: found } = await there.server.ask('ann', query);
  return found.messages.edges.map(({ node }: any) => node.body);
}

test('what a page did not get to send, the next one sends, in order and once, before what it adds itself', async () => {
  const storage = memoryPositions();
  const channel = await there.channel('ann');
  there.wire.isDown = true;
  there.wire.cut();
  const first = there.client('ann', { storage });
  const left = ['1', '2', '3'].map((body) => enqueue(first, channel, body));
  await until('it is kept', 30_000, () => String(storage.get('queue:0')).includes(`${channel} 3`));
  first.dispose();
  for (const { status } of await Promise.allSettled(left)) expect(status).toBe('rejected');

  there.wire.isDown = false;
  const second = there.client('ann', { storage });
  await enqueue(second, channel, '4');
  expect(await bodiesIn(channel)).toEqual(['1', '2', '3', '4']);
  await until('nothing is kept any more', 30_000, () => storage.get('queue:0') === undefined);
});

test('what was done, and its answer lost with the page, is not done twice', async () => {
  const storage = memoryPositions();
  const channel = await there.channel('ann');
  const heard = listen(there.client('ann', { url: `${there.server.url}/graphql` }), channel);
  await isAttached(there, 1);
  there.wire.swallowsAnswers = true;
  const first = there.client('ann', { storage });
  const left = enqueue(first, channel, 'once');
  await eventually(() => expect(heard.bodies).toEqual(['once']));
  first.dispose();
  await expect(left).rejects.toMatchObject({ code: 'NETWORK_ERROR' });
  there.wire.swallowsAnswers = false;
  there.wire.cut();
  await enqueue(there.client('ann', { storage }), channel, 'then');
  await eventually(() => expect(heard.bodies).toEqual(['once', 'then']));
});

test('what is refused is told by `onRefused`, and holds up nothing; before anybody is signed in it waits', async () => {
  const storage = memoryPositions();
  const channel = await there.channel('ann');
  there.wire.isDown = true;
  there.wire.cut();
  const first = there.client('ann', { storage });
  const left = [enqueue(first, 'nowhere', 'x'), enqueue(first, channel, 'y')];
  await until('it is kept', 30_000, () => String(storage.get('queue:0')).includes(`${channel} y`));
  first.dispose();
  await Promise.allSettled(left);

  there.wire.isDown = false;
  const refused: unknown[] = [];
  let token: string | null = null;
  let asked = 0;
  there.client('ann', {
    storage,
    token: () => {
      asked += 1;
      return token;
    },
    onRefused: ({ request, error }) => refused.push([request.variables, error.code]),
  });
  await until('it has tried without a token', 30_000, () => asked > 2);
  token = await there.server.token('ann');
  await eventually(async () => expect(await bodiesIn(channel)).toEqual(['y']));
  expect(refused).toEqual([[expect.objectContaining({ input: expect.anything() }), 'NOT_FOUND']]);
});

test('a thousand wait, and no more', async () => {
  there.wire.isDown = true;
  there.wire.cut();
  const client = there.client('ann');
  const waiting = Array.from({ length: 1_001 }, (_, index) => enqueue(client, 'general', String(index)));
  await expect(waiting.pop()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  client.dispose();
  await Promise.allSettled(waiting);
});

/** A tab that can ask for nothing until it is let to. */
async function cutOff(): Promise<Tab> {
  const tab = await browser.open({ tokens: [await there.server.token('ann')], prefix: 'realtime:ann:' });
  await tab.page.route('**/graphql', (route) => route.abort());
  return tab;
}

const isKept = (tab: Tab, what: string) =>
  until('it is kept', 30_000, () =>
    tab.page.evaluate((what) => JSON.stringify(localStorage).includes(what), what),
  );

test('in a browser it survives a reload', async () => {
  const channel = await there.channel('ann');
  const tab = await cutOff();
  for (const body of ['1', '2']) void tab.enqueue(channel, body, `${channel} ${body}`).catch(() => {});
  await isKept(tab, `${channel} 2`);
  await tab.page.unroute('**/graphql');
  await tab.reload();
  await eventually(async () => expect(await bodiesIn(channel)).toEqual(['1', '2']));
  expect(await tab.refused()).toEqual([]);
});

test('two tabs do not write over each other, and what one leaves when it is closed the other sends', async () => {
  const channel = await there.channel('ann');
  const [one, other] = [await cutOff(), await cutOff()];
  void one.enqueue(channel, 'of one', `${channel} one`).catch(() => {});
  void other.enqueue(channel, 'of the other', `${channel} other`).catch(() => {});
  await isKept(one, `${channel} one`);
  await isKept(one, `${channel} other`);
  await one.page.unroute('**/graphql');
  await eventually(async () => expect(await bodiesIn(channel)).toEqual(['of one']));
  await other.close();
  await eventually(async () => expect(await bodiesIn(channel)).toEqual(['of one', 'of the other']));
});
