import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { TestServer } from '../support/server.ts';
import { DeskOnPage } from './desk.ts';
import { demoServer, openBrowser, Visitor } from './visitor.ts';

let browser: Browser;
let server: TestServer;

beforeAll(async () => {
  [browser, server] = await Promise.all([openBrowser(), demoServer('postgres')]);
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

describe('the live table', () => {
  test('follows what others write with SQL', async () => {
    const visitor = await Visitor.come(browser, server.url);
    const desk = await new DeskOnPage(await visitor.open('/?as=ada'), 'Ada Novak').ready();
    await desk.task('Announcement').waitFor();

    await server.sql("update demo_tasks set status = 'done', points = 13 where title = 'Announcement'");
    await eventually(async () =>
      expect(await desk.task('Announcement').textContent()).toMatch(/Done[\s\S]*13/),
    );
    await server.sql("insert into demo_tasks (title, assignee) values ('By psql', 'ben')");
    await desk.task('By psql').waitFor();
    await server.sql("delete from demo_tasks where title = 'By psql'");
    await desk.task('By psql').waitFor({ state: 'detached' });
    await visitor.leave();
  });

  test('follows what was written while the wire was cut', async () => {
    const visitor = await Visitor.come(browser, server.url);
    const desk = await new DeskOnPage(await visitor.open('/?as=ada'), 'Ada Novak').ready();
    await desk.task('Rehearse the rollback').waitFor();
    await desk.cut();
    await server.sql(
      "update demo_tasks set points = 21 where title = 'Rehearse the rollback'",
      "insert into demo_tasks (title) values ('While away')",
    );
    expect(await desk.task('While away').count()).toBe(0);
    await desk.mend();
    await desk.task('While away').waitFor();
    await eventually(async () =>
      expect(await desk.task('Rehearse the rollback').textContent()).toContain('21'),
    );
    await visitor.leave();
  });

  test('is edited beside it, and who is given a task is told', async () => {
    const visitor = await Visitor.come(browser, server.url, { width: 1_440, height: 900 });
    const page = await visitor.open('/?view=pair&left=ada&right=chloe');
    const ada = await new DeskOnPage(page, 'Ada Novak').ready();
    const chloe = await new DeskOnPage(page, 'Chloé Martin').ready();
    for (const desk of [ada, chloe]) await desk.root.getByRole('button', { name: 'Tasks' }).click();
    const before = await chloe.badge();

    await ada.task('Write the release notes').getByRole('button').click();
    const editor = ada.root.getByRole('form', { name: 'Edit the task' });
    await editor.getByLabel('Title').fill('Write better release notes');
    await editor.getByLabel('Who').selectOption('Chloé Martin');
    await editor.getByRole('button', { name: 'Save' }).click();

    await chloe.task('Write better release notes').waitFor();
    await eventually(async () => expect(await chloe.badge()).toBe(before + 1));
    await chloe.bell().click();
    await chloe
      .inbox()
      .getByRole('heading', { name: /^Ada Novak gave you a task/ })
      .waitFor();
    await visitor.leave();
  });
});

describe('the inspector', () => {
  test('shows who is connected and what passes, sends an event, and sends somebody away', async () => {
    const ben = await Visitor.come(browser, server.url);
    const desk = await new DeskOnPage(await ben.open('/?as=ben'), 'Ben Osei').ready();
    const admin = await Visitor.come(browser, server.url);
    const page = await admin.open('/inspector');

    const row = page.locator('[data-session]', { hasText: 'Ben Osei' });
    await row.waitFor();
    expect(await row.textContent()).toMatch(/WebSocket[\s\S]*welcome/);
    const session = await row.getAttribute('data-session');

    await page.getByLabel('Type').fill('demo.hello');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.getByText(/^Stored as/).waitFor();
    const event = page.locator('[data-event]', { hasText: 'demo.hello' });
    await event.waitFor();
    // Counted every few seconds: this inspector, which listens to events.
    await eventually(async () => expect(await event.locator('.number').textContent()).toBe('1'));

    await row.getByRole('button', { name: /^Disconnect/ }).click();
    await page.getByText('Ben Osei was sent away').waitFor();
    await page.locator(`[data-session="${session}"]`).waitFor({ state: 'detached' });
    // He comes back, by himself.
    await row.waitFor();
    await desk.ready();
    await ben.leave();
    await admin.leave();
  });
});

describe('a phone', () => {
  test.each(['/', '/?as=ada', '/?view=sign-in', '/inspector'])(
    'shows all of %s, and nothing beside it',
    async (path) => {
      const visitor = await Visitor.come(browser, server.url, { width: 390, height: 844 });
      const page = await visitor.open(path);
      await page.locator('main > *').first().waitFor();
      if (path === '/inspector') await page.locator('[data-session]').first().waitFor();
      if (path === '/?as=ada') await new DeskOnPage(page, 'Ada Novak').ready();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
      await visitor.leave();
    },
  );

  test('shows one of two people at a time', async () => {
    const visitor = await Visitor.come(browser, server.url, { width: 390, height: 844 });
    const page = await visitor.open('/');
    const ada = await new DeskOnPage(page, 'Ada Novak').ready();
    const choice = page.getByRole('group', { name: 'Whose side is shown' });
    await choice.getByRole('button', { name: 'Ben Osei' }).click();
    const ben = await new DeskOnPage(page, 'Ben Osei').ready();
    await ben.say('From a phone');
    await choice.getByRole('button', { name: 'Ada Novak' }).click();
    await ada.sees('From a phone');
    await visitor.leave();
  });
});

describe('the look', () => {
  const ground = 'getComputedStyle(document.body).backgroundColor';

  test('is dark where the device prefers it, light by the switch, and stays so', async () => {
    const visitor = await Visitor.come(browser, server.url, { dark: true });
    const page = await visitor.open('/?view=sign-in');
    await page.getByRole('heading', { level: 1 }).waitFor();
    const dark = await page.evaluate(ground);
    await page.getByRole('button', { name: 'Switch to light' }).click();
    const light = await page.evaluate(ground);
    expect(light).not.toBe(dark);
    await page.reload();
    await page.getByRole('button', { name: 'Switch to dark' }).waitFor();
    expect(await page.evaluate(ground)).toBe(light);
    await visitor.leave();
  });
});

describe('GraphiQL', () => {
  test('runs a subscription with the example that it opens with', async () => {
    const visitor = await Visitor.come(browser, server.url);
    const page = await visitor.open('/graphql');
    const tabs = page.getByRole('tab');
    await eventually(async () => expect(await tabs.count()).toBeGreaterThan(5));
    await page.getByRole('button', { name: /^Execute/ }).click();
    await page.getByRole('menuitem', { name: 'Messages' }).click();
    const subscribed = `query { sessions(userId: "demo") { edges { node { channels } } } }`;
    await eventually(async () => {
      const { sessions } = await server.ask('ada', subscribed, {}, ['admin']);
      expect(sessions.edges.map(({ node }: any) => node.channels)).toContainEqual(['welcome']);
    });
    await server.ask(
      'ben',
      'mutation { sendMessage(input: { channel: "welcome", body: "To GraphiQL" }) { id } }',
    );
    await page.locator('.result-window', { hasText: 'To GraphiQL' }).waitFor();
    await visitor.leave();
  });
});

describe('the demo in production', () => {
  test('has nobody to sign in as, and takes a token', async () => {
    const production = await demoServer('embedded', { NODE_ENV: 'production' });
    await production.ask('zoe', 'mutation { createChannel(input: { name: "office" }) { id } }');
    const visitor = await Visitor.come(browser, production.url);
    const page = await visitor.open('/');
    await page.getByLabel('Token').fill(await production.token('zoe'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    const desk = new DeskOnPage(page, 'zoe');
    await desk.root.getByText(/Live over/).waitFor();
    await desk.say('No demo here.');
    await desk.sees('No demo here.');
    await visitor.leave();

    const admin = await Visitor.come(browser, production.url);
    const inspector = await admin.open('/inspector');
    await inspector.getByLabel('Token').fill(await production.token('root', ['admin']));
    await inspector.getByRole('button', { name: 'Sign in' }).click();
    await inspector.locator('[data-session]').first().waitFor();
    await inspector.getByRole('button', { name: 'Send', exact: true }).click();
    await inspector.locator('[data-event]', { hasText: 'demo.ping' }).waitFor();
    await admin.leave();
    await production.close();
  });
});
