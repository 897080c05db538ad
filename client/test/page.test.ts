import { expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { until } from '../../test/support/until.ts';
import { site } from './support/site.ts';
import { pageFiles, type Tab, tabs } from './support/tabs.ts';
import { isAttached } from './support/waits.ts';

const there = site({ DEMO: '1', DEMO_FILES: await pageFiles() });
const browser = tabs(() => there.wire.url);

/** One that would not come back by itself before the test has given up on it. */
async function patientTab(channel: string): Promise<Tab> {
  const retry = { firstMs: 600_000, longestMs: 600_000 };
  const tab = await browser.open({ tokens: [await there.server.token('ann')], retry });
  await tab.listen(channel);
  await isAttached(there, 1);
  return tab;
}

const hears = (tab: Tab, bodies: readonly string[]) =>
  eventually(async () => expect(await tab.bodies()).toEqual(bodies));

test('a page that is off the network comes back as soon as it is on it again, and has missed nothing', async () => {
  const channel = await there.channel('ann');
  const tab = await patientTab(channel);
  const context = await browser.context();
  await context.setOffline(true);
  there.wire.cut();
  await tab.has('waiting');
  await there.send('ann', channel, 'missed');
  await context.setOffline(false);
  await hears(tab, ['missed']);
  expect(await tab.connection()).toMatchObject({ status: 'connected', transport: 'ws' });
});

test.each([
  ['is looked at', "document.dispatchEvent(new Event('visibilitychange'))"],
  ['is taken out of the cache of the back button', "window.dispatchEvent(new Event('pageshow'))"],
])('a page that waits comes back as soon as it %s', async (_name, happens) => {
  const channel = await there.channel('ann');
  const tab = await patientTab(channel);
  there.wire.isDown = true;
  there.wire.cut();
  await tab.has('waiting');
  await there.send('ann', channel, 'missed');
  there.wire.isDown = false;
  await tab.page.evaluate(happens);
  await hears(tab, ['missed']);
});

test('a page that is looked at notices that its connection is dead', async () => {
  const channel = await there.channel('ann');
  const tab = await patientTab(channel);
  there.wire.swallows = true;
  await tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
  await until('it has noticed', 30_000, async () => (await tab.connection()).status !== 'connected');
});
