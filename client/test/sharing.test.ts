import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { until } from '../../test/support/until.ts';
import { site } from './support/site.ts';
import { pageFiles, type Tab, tabs } from './support/tabs.ts';
import { isAttached } from './support/waits.ts';

const there = site({ DEMO: '1', DEMO_FILES: await pageFiles() });
const browser = tabs(() => there.wire.url);

async function open(
  userId = 'ann',
  options: { share?: boolean; transport?: 'ws' | 'sse' } = {},
): Promise<Tab> {
  return browser.open({ tokens: [await there.server.token(userId)], share: true, ...options });
}

/** The first of them leads. */
async function listening(count: number, channel: string): Promise<Tab[]> {
  const tabs: Tab[] = [];
  for (let number = 1; number <= count; number += 1) {
    const tab = await open();
    await tab.listen(channel);
    await tab.has('connected');
    tabs.push(tab);
  }
  await isAttached(there, count);
  return tabs;
}

const sockets = () => there.server.metric('realtime_connections{transport="websocket"}');

async function hasSockets(count: number): Promise<void> {
  await until(`there are ${count} sockets`, 30_000, async () => ((await sockets()) ?? 0) === count);
}

async function allHear(tabs: readonly Tab[], bodies: readonly string[]): Promise<void> {
  await eventually(async () => {
    for (const tab of tabs) expect(await tab.bodies()).toEqual(bodies);
  });
}

describe('tabs that share', () => {
  test('have one socket, and hear each event once', async () => {
    const channel = await there.channel('ann');
    const tabs = await listening(3, channel);
    await hasSockets(1);
    await there.send('ann', channel, '1', '2', '3');
    await allHear(tabs, ['1', '2', '3']);
    const ids = await Promise.all(tabs.map((tab) => tab.connection()));
    expect(
      new Set(ids.map((connection) => 'connectionId' in connection && connection.connectionId)).size,
    ).toBe(1);
    expect(await tabs[2]!.execute(channel, '4')).toBe('4');
    expect(await tabs[2]!.execute('nowhere', '5')).toBe('NOT_FOUND');
    await allHear(tabs, ['1', '2', '3', '4']);
  });

  test('leave what they have left: a subscription that is ended, a tab that is closed, one that has crashed', async () => {
    const channel = await there.channel('ann');
    const [leader, ...others] = await listening(4, channel);
    await others[0]!.leave();
    await isAttached(there, 3);
    await others[1]!.close();
    await isAttached(there, 2);
    await others[2]!.crash();
    await isAttached(there, 1);
    await hasSockets(1);
    await there.send('ann', channel, 'still there');
    await allHear([leader!], ['still there']);
  });

  test.each(['close', 'crash', 'freeze'] as const)(
    'miss nothing and hear nothing twice when the leader has a %s while messages are sent',
    async (end) => {
      const channel = await there.channel('ann');
      const [leader, ...others] = await listening(3, channel);
      const bodies = Array.from({ length: 60 }, (_, index) => String(index));
      const sent = there.send('ann', channel, ...bodies);
      await eventually(async () => expect((await leader!.bodies()).length).toBeGreaterThan(10));
      await leader![end]();
      await sent;
      await allHear(others, bodies);
      await isAttached(there, 2);
      await hasSockets(1);
      if (end === 'freeze') {
        await leader!.thaw();
        await allHear([leader!], bodies);
        await hasSockets(1);
      }
      await there.send('ann', channel, 'last');
      await allHear(others, [...bodies, 'last']);
    },
  );

  test('take the connection from a leader that hangs, which follows when it goes on', async () => {
    const channel = await there.channel('ann');
    const [leader, ...others] = await listening(3, channel);
    await leader!.stop();
    await there.send('ann', channel, 'meanwhile');
    await others[0]!.page.evaluate(() => window.tab.client.reconnect());
    await allHear(others, ['meanwhile']);
    await leader!.goOn();
    await allHear([leader!], ['meanwhile']);
    await hasSockets(1);
    await there.send('ann', channel, 'then');
    await allHear([leader!, ...others], ['meanwhile', 'then']);
  });

  test('do not wait for one that holds the lock and hangs', async () => {
    const channel = await there.channel('ann');
    const [leader] = await listening(1, channel);
    await leader!.stop();
    const tab = await open();
    await tab.listen(channel);
    await tab.has('connected');
    await leader!.goOn();
    await hasSockets(1);
    await isAttached(there, 2);
    await there.send('ann', channel, 'for both');
    await allHear([leader!, tab], ['for both']);
  });

  test('come back together when the wire was cut', async () => {
    const channel = await there.channel('ann');
    const tabs = await listening(3, channel);
    there.wire.isDown = true;
    there.wire.cut();
    await there.send('ann', channel, 'missed');
    for (const tab of tabs) {
      await until('it has noticed', 30_000, async () => (await tab.connection()).status !== 'connected');
    }
    there.wire.isDown = false;
    await allHear(tabs, ['missed']);
    await hasSockets(1);
  });

  test('have another leader when the first wants nothing any more', async () => {
    const channel = await there.channel('ann');
    const [leader, ...others] = await listening(2, channel);
    await leader!.leave();
    await leader!.has('idle');
    await there.send('ann', channel, 'for one');
    await allHear(others, ['for one']);
    await hasSockets(1);
  });

  test('go over to a WebSocket together when the leader finds one', async () => {
    const channel = await there.channel('ann');
    there.wire.blocksUpgrades = true;
    const tabs = [await open(), await open()];
    const over = (transport: string) =>
      eventually(async () => {
        for (const tab of tabs)
          expect(await tab.connection()).toMatchObject({ status: 'connected', transport });
      });
    for (const tab of tabs) await tab.listen(channel);
    await over('sse');
    await isAttached(there, 2);
    await there.send('ann', channel, '1');
    await allHear(tabs, ['1']);
    there.wire.blocksUpgrades = false;
    // Whoever follows has nothing to try.
    for (const tab of tabs) await tab.page.evaluate(() => window.tab.client.reconnect());
    await over('ws');
    await isAttached(there, 2);
    await hasSockets(1);
    await there.send('ann', channel, '2');
    await allHear(tabs, ['1', '2']);
    await tabs[0]!.close();
    await there.send('ann', channel, '3');
    await allHear([tabs[1]!], ['1', '2', '3']);
    await hasSockets(1);
  });

  test('share Server-Sent Events as well', async () => {
    const channel = await there.channel('ann');
    const tabs = [await open('ann', { transport: 'sse' }), await open('ann', { transport: 'sse' })];
    for (const tab of tabs) await tab.listen(channel);
    await isAttached(there, 2);
    await there.send('ann', channel, '1');
    await allHear(tabs, ['1']);
    await tabs[0]!.close();
    await there.send('ann', channel, '2');
    await allHear([tabs[1]!], ['1', '2']);
  });
});

/** What happens to tabs and wire between two messages. */
const troubles = ['open', 'close first', 'close last', 'crash', 'cut', 'nothing'] as const;

test('whatever happens to tabs and wire, each tab hears all since it began, once and in order', async () => {
  const plan = fc.array(fc.constantFrom(...troubles), { minLength: 15, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(plan, async (plan) => {
      const channel = await there.channel('ann');
      const tabs: Tab[] = [];
      /** What was sent before a tab began. */
      const begun = new Map<Tab, number>();
      const begin = async (sent: number) => {
        // So that what is counted next is the new one, and no other that comes back.
        if (tabs.length > 0) await hasSockets(1);
        await isAttached(there, tabs.length);
        const tab = await open();
        await tab.listen(channel);
        tabs.push(tab);
        begun.set(tab, sent);
        await isAttached(there, tabs.length);
      };
      const happen = async (trouble: (typeof troubles)[number], sent: number) => {
        if (trouble === 'open' && tabs.length < 4) await begin(sent);
        if (trouble === 'cut') there.wire.cutSockets();
        if (tabs.length < 2) return;
        if (trouble === 'close first') await tabs.shift()!.close();
        if (trouble === 'close last') await tabs.pop()!.close();
        if (trouble === 'crash') await tabs.shift()!.crash();
      };
      await begin(0);
      await begin(0);
      for (const [index, trouble] of plan.entries()) {
        await happen(trouble, index);
        await there.send('ann', channel, String(index));
      }
      const all = plan.map((_trouble, index) => String(index));
      await eventually(async () => {
        const heard = await Promise.all(tabs.map((tab) => tab.bodies()));
        expect(heard).toEqual(tabs.map((tab) => all.slice(begun.get(tab))));
      });
      await isAttached(there, tabs.length);
      await hasSockets(1);
      for (const tab of tabs) await tab.close();
      await isAttached(there, 0);
    }),
    { numRuns: 3, endOnFailure: true },
  );
});

test('a mutation whose leader is gone fails, since it may have been done; a queued one is sent again, and done once', async () => {
  const channel = await there.channel('ann');
  const [leader, follower] = await listening(2, channel);
  there.wire.swallowsAnswers = true;
  const lost = follower!.execute(channel, 'lost');
  const queued = follower!.enqueue(channel, 'queued', `${channel} queued`);
  await eventually(async () => {
    const messages = `{ channel(name: "${channel}") { messages(last: 10) { edges { node { body } } } } }`;
    const { channel: found } = await there.server.ask('ann', messages);
    expect(found.messages.edges.map(({ node }: any) => node.body).sort()).toEqual(['lost', 'queued']);
  });
  there.wire.swallowsAnswers = false;
  await leader!.close();
  expect(await lost).toBe('NETWORK_ERROR');
  expect(await queued).toBe('queued');
  await eventually(async () => expect([...(await follower!.bodies())].sort()).toEqual(['lost', 'queued']));
});

test('tabs of two users do not share, nor those of one with other roles', async () => {
  const channel = await there.channel('ann');
  await there.server.ask('bob', `mutation { joinChannel(name: "${channel}") { id } }`);
  const admin = await browser.open({ tokens: [await there.server.token('ann', ['admin'])], share: true });
  const tabs = [await open('ann'), await open('bob'), admin];
  for (const tab of tabs) await tab.listen(channel);
  await hasSockets(3);
  await isAttached(there, 3);
  await there.send('ann', channel, 'for all');
  await allHear(tabs, ['for all']);
});

test('a tab whose user has changed leaves those it shared with', async () => {
  const channel = await there.channel('ann');
  const [leader] = await listening(1, channel);
  const tokens = [await there.server.token('ann'), await there.server.token('bob')];
  const changing = await browser.open({ tokens, share: true });
  await changing.listen(channel);
  await isAttached(there, 2);
  await hasSockets(1);
  there.wire.cut();
  await hasSockets(2);
  await isAttached(there, 2);
  await there.send('ann', channel, 'for both');
  await allHear([leader!, changing], ['for both']);
});

test('without Web Locks each tab has its own connection', async () => {
  await (await browser.context()).addInitScript(() => {
    Object.defineProperty(navigator, 'locks', { value: undefined });
  });
  const channel = await there.channel('ann');
  const tabs = await listening(2, channel);
  await hasSockets(2);
  await there.send('ann', channel, 'for both');
  await allHear(tabs, ['for both']);
});
