import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { type ServerProcess, spawnServer, tokenOf } from '../support/process.ts';
import type { TestServer } from '../support/server.ts';
import { DeskOnPage } from './desk.ts';
import { demoFiles, demoServer, openBrowser, Visitor } from './visitor.ts';

const send = `mutation Send($body: String!) { sendMessage(input: { channel: "welcome", body: $body }) { id } }`;

describe('people in the demo', () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    [browser, server] = await Promise.all([openBrowser(), demoServer('embedded')]);
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  test('chat with each other from two browsers', async () => {
    const [ada, ben] = await Promise.all([
      Visitor.come(browser, server.url),
      Visitor.come(browser, server.url),
    ]);
    const adasDesk = await new DeskOnPage(await ada.open('/?as=ada'), 'Ada Novak').ready();
    const bensDesk = await new DeskOnPage(await ben.open('/?as=ben'), 'Ben Osei').ready();

    await adasDesk.say('Is this thing on?');
    await bensDesk.sees('Is this thing on?');
    await bensDesk.say('Loud and clear.');
    await adasDesk.sees('Loud and clear.');

    expect((await adasDesk.messages()).slice(-2)).toEqual(['Is this thing on?', 'Loud and clear.']);
    expect(await bensDesk.messages()).toEqual(await adasDesk.messages());
    await Promise.all([ada.leave(), ben.leave()]);
  });

  test('sign in by one click, and are who they say', async () => {
    const visitor = await Visitor.come(browser, server.url);
    const page = await visitor.open('/?view=sign-in');
    await page.getByRole('button', { name: /Chloé Martin/ }).click();
    const desk = await new DeskOnPage(page, 'Chloé Martin').ready();
    await desk.say('C’est moi.');
    const sender = desk.root.locator('.message', { hasText: 'C’est moi.' }).getByText('Chloé Martin');
    await sender.waitFor();
    await visitor.leave();
  });

  test('are shown side by side first, and miss nothing when a wire is cut and mended', async () => {
    const visitor = await Visitor.come(browser, server.url, { width: 1_440, height: 900 });
    const page = await visitor.open('/');
    const left = await new DeskOnPage(page, 'Ada Novak').ready();
    const right = await new DeskOnPage(page, 'Ben Osei').ready();
    const before = await left.messages();

    await left.cut();
    await left.root.getByText('The wire is cut').waitFor();
    await right.root.getByRole('button', { name: /^Let others write/ }).click();
    await right.say('Ada cannot read this yet.');
    await right.sees('Ada cannot read this yet.');
    await eventually(async () => expect(await right.figure('received')).toBe(21));
    expect(await left.messages()).toEqual(before);

    await left.mend();
    await left.sees('Ada cannot read this yet.');
    await left.isWhole(21);
    await right.isWhole(21);
    expect(await left.messages()).toEqual(await right.messages());
    await visitor.leave();
  });

  test('read older messages without losing their place', async () => {
    for (let index = 0; index < 110; index += 1) await server.ask('ben', send, { body: `Line ${index}.` });
    const visitor = await Visitor.come(browser, server.url);
    const desk = await new DeskOnPage(await visitor.open('/?as=devika'), 'Devika Rao').ready();
    const line = desk.root.locator('.message-body', { hasText: 'Line 60.' });
    await desk.sees('Line 109.');
    await desk.root.getByRole('log').evaluate((list) => {
      list.scrollTop = 0;
    });
    await eventually(async () => expect((await line.boundingBox())!.y).toBeGreaterThan(0));
    const { y: before } = (await line.boundingBox())!;
    await desk.root.getByRole('button', { name: 'Show older messages' }).click();
    await desk.sees('Line 10.');
    expect(Math.abs((await line.boundingBox())!.y - before)).toBeLessThan(5);
    await visitor.leave();
  });

  test('send what they wrote while the wire was cut, once, in their order', async () => {
    const visitor = await Visitor.come(browser, server.url, { width: 1_440, height: 900 });
    const page = await visitor.open('/?view=pair&left=chloe&right=devika');
    const left = await new DeskOnPage(page, 'Chloé Martin').ready();
    const right = await new DeskOnPage(page, 'Devika Rao').ready();

    await left.cut();
    for (const body of ['Written offline, one', 'Written offline, two']) await left.say(body);
    expect(await left.root.getByText('Sending …').count()).toBe(2);
    await left.mend();
    await right.sees('Written offline, two');

    await eventually(async () => expect(await left.root.getByText('Sending …').count()).toBe(0));
    const offline = async (desk: DeskOnPage) =>
      (await desk.messages()).filter((body) => body.startsWith('Written offline'));
    for (const desk of [left, right]) {
      expect(await offline(desk)).toEqual(['Written offline, one', 'Written offline, two']);
    }
    await visitor.leave();
  });
});

describe('the numbers under a desk', () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    [browser, server] = await Promise.all([openBrowser(), demoServer('embedded')]);
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  test('stay whole when the browser itself goes offline for a while', async () => {
    const visitor = await Visitor.come(browser, server.url);
    const desk = await new DeskOnPage(await visitor.open('/?as=ada'), 'Ada Novak').ready();
    await visitor.context.setOffline(true);
    await desk.root.getByText(/back in/).waitFor();
    // It is told without its content, and then that it was deleted: two events, and none of them comes again.
    const { sendMessage } = await server.ask('ben', send, { body: 'never mind' });
    await server.ask('ben', `mutation { deleteMessage(id: "${sendMessage.id}") { id } }`);
    for (let index = 0; index < 5; index += 1) await server.ask('ben', send, { body: `offline ${index}` });
    expect(await desk.figure('received')).toBe(0);
    await visitor.context.setOffline(false);
    await desk.sees('offline 4');
    await desk.isWhole(7);
    expect(visitor.problems.filter((problem) => !/net::ERR_|failed: /.test(problem))).toEqual([]);
    await visitor.context.close();
  });

  test('are measured: what the way loses or repeats shows in them', async () => {
    const visitor = await Visitor.come(browser, server.url);
    await visitor.context.routeWebSocket(/\/graphql$/, (page) => {
      const way = page.connectToServer();
      way.onMessage((message) => {
        const text = String(message);
        if (text.includes('Lose this')) return;
        page.send(text);
        if (text.includes('Repeat this')) page.send(text);
      });
    });
    const desk = await new DeskOnPage(await visitor.open('/?as=ada'), 'Ada Novak').ready();
    for (const body of ['Keep this', 'Lose this', 'Repeat this']) await server.ask('ben', send, { body });
    await desk.sees('Repeat this');
    await eventually(async () => expect(await desk.figure('repeated')).toBe(1));
    await eventually(async () => expect(await desk.figure('missed')).toBe(1));
    expect(await desk.figure('received')).toBe(3);
    await visitor.leave();
  });
});

describe('a server that is killed and started again', () => {
  test('leaves nothing missing and nothing double in an open page', async () => {
    const database = await freshDatabase();
    const environment = {
      DEMO: '1',
      DEMO_FILES: await demoFiles(),
      DATABASE_URL: database.url,
      PORT: String(await freePort()),
    };
    let server = await spawnServer(environment);
    const browser = await openBrowser();
    onTestFinished(() => browser.close());
    const visitor = await Visitor.come(browser, server.url);
    const desk = await new DeskOnPage(await visitor.open('/?as=ada'), 'Ada Novak').ready();
    await say(server, 'before');
    await desk.sees('before');

    for (const life of [1, 2]) {
      server.signal('SIGKILL');
      await server.ended;
      server = await spawnServer(environment);
      for (let index = 0; index < 5; index += 1) await say(server, `${life}.${index}`);
      await desk.sees(`${life}.4`);
    }
    await desk.isWhole(11);
    // That it was away shows in the console, and nothing else does.
    expect(visitor.problems.filter((problem) => !/net::ERR_|WebSocket|failed: /.test(problem))).toEqual([]);
    await visitor.context.close();
    server.signal('SIGTERM');
    await server.ended;
    await database.drop();
  });

  async function say({ url }: ServerProcess, body: string): Promise<void> {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await tokenOf('ben')}` },
      body: JSON.stringify({ query: send, variables: { body } }),
    });
    expect(await response.json()).toMatchObject({ data: { sendMessage: {} } });
  }
});
