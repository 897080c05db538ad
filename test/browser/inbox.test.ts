import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { TestServer } from '../support/server.ts';
import { DeskOnPage } from './desk.ts';
import { demoServer, openBrowser, Visitor } from './visitor.ts';

const axe = readFileSync(
  createRequire(new URL('../../web/package.json', import.meta.url)).resolve('axe-core/axe.min.js'),
  'utf8',
);

/** What axe has to say against the page as it is, `rule: element`. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

describe('the inbox', () => {
  let browser: Browser;
  let server: TestServer;

  const notify = (userId: string, title: string) =>
    server.ask(
      'ada',
      `mutation { sendNotification(input: { userId: "${userId}", title: "${title}", message: "Look." }) { id } }`,
      {},
      ['admin'],
    );

  beforeAll(async () => {
    [browser, server] = await Promise.all([openBrowser(), demoServer('embedded')]);
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  test('says the same as its badge, in two tabs', async () => {
    const visitor = await Visitor.come(browser, server.url);
    const tabs = [await visitor.open('/?as=ben'), await visitor.open('/?as=ben')] as const;
    const desks = [
      await new DeskOnPage(tabs[0], 'Ben Osei').ready(),
      await new DeskOnPage(tabs[1], 'Ben Osei').ready(),
    ] as const;
    const unread = (desk: DeskOnPage) => desk.inbox().locator('.notification.is-unread').count();
    const agree = (count: number) =>
      eventually(async () => {
        for (const desk of desks) expect([await desk.badge(), await unread(desk)]).toEqual([count, count]);
      });
    for (const desk of desks) await desk.bell().click();

    await agree(2);
    for (let index = 0; index < 3; index += 1) await notify('ben', `News ${index}`);
    await agree(5);
    await desks[0].inbox().getByRole('button', { name: 'Mark as read: News 1' }).click();
    await agree(4);
    await desks[1].inbox().getByRole('button', { name: 'Mark as unread: News 1' }).click();
    await agree(5);
    await desks[0].inbox().getByRole('button', { name: 'Mark all as read' }).click();
    await agree(0);
    await visitor.leave();
  });

  test('is used by the keyboard alone, and tells what comes', async () => {
    await notify('chloe', 'The last one');
    const visitor = await Visitor.come(browser, server.url);
    const page = await visitor.open('/?as=chloe');
    const desk = await new DeskOnPage(page, 'Chloé Martin').ready();
    const focused = () => page.evaluate(() => document.activeElement?.textContent ?? '');
    await eventually(async () => expect(await desk.badge()).toBe(3));

    // From the beginning of the page to the bell.
    for (let presses = 0; presses < 30; presses += 1) {
      await page.keyboard.press('Tab');
      if (await desk.bell().evaluate((bell) => bell === document.activeElement)) break;
    }
    await page.keyboard.press('Enter');
    await desk.inbox().waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    expect(await focused()).toContain('The last one');
    await page.keyboard.press('PageDown');
    expect(await focused()).toContain('The launch is on Thursday');
    await page.keyboard.press('PageUp');
    expect(await focused()).toContain('The last one');
    await page.keyboard.press('Enter');
    await eventually(async () => expect(await desk.badge()).toBe(2));
    await page.keyboard.press('Control+Home');
    expect(await focused()).toBe('Mark all as read');
    await page.keyboard.press('Escape');
    expect(await desk.inbox().count()).toBe(0);
    expect(await desk.bell().evaluate((bell) => bell === document.activeElement)).toBe(true);

    await notify('chloe', 'Read me out');
    await desk.root
      .locator('.inbox [role=status]', { hasText: 'New notification: Read me out' })
      .waitFor({ state: 'attached' });
    await visitor.leave();
  });

  test('says where in the feed each one is', async () => {
    const visitor = await Visitor.come(browser, server.url);
    const desk = await new DeskOnPage(await visitor.open('/?as=devika'), 'Devika Rao').ready();
    await desk.bell().click();
    const articles = desk.inbox().getByRole('feed', { name: 'Notifications' }).getByRole('article');
    await eventually(async () => expect(await articles.count()).toBe(2));
    const places = await articles.evaluateAll((all) =>
      all.map((article) => [article.ariaPosInSet, article.ariaSetSize, article.tabIndex]),
    );
    expect(places).toEqual([
      ['1', '2', 0],
      ['2', '2', 0],
    ]);
    await visitor.leave();
  });

  test.each([
    ['on a desktop', { width: 1_280, height: 860 }],
    ['in the dark', { width: 1_280, height: 860, dark: true }],
    ['on a phone', { width: 390, height: 844 }],
    ['on a phone in the dark', { width: 390, height: 844, dark: true }],
  ])('and all around it has nothing that axe finds: %s', async (_title, options) => {
    const visitor = await Visitor.come(browser, server.url, options);
    const page = await visitor.open('/?as=devika');
    const desk = await new DeskOnPage(page, 'Devika Rao').ready();
    expect(await faultsOf(page)).toEqual([]);
    await desk.bell().click();
    await desk.inbox().getByRole('article').first().waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await desk.cut();
    expect(await faultsOf(page)).toEqual([]);
    await visitor.leave();
  });

  test.each([
    ['/', 1_280],
    ['/', 390],
    ['/?view=sign-in', 1_280],
    ['/inspector', 1_280],
  ])('%s has nothing that axe finds, %d pixels wide', async (path, width) => {
    const visitor = await Visitor.come(browser, server.url, { width });
    const page = await visitor.open(path);
    await page.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' });
    if (path === '/') await new DeskOnPage(page, 'Ada Novak').ready();
    if (path === '/inspector') await page.locator('[data-session]').first().waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await visitor.leave();
  });
});
