import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '../../src/domain/viewer.ts';
import type { TestServer } from '../support/server.ts';
import { DeskOnPage } from './desk.ts';
import { demoServer, openBrowser, Visitor } from './visitor.ts';

describe('somebody with a token of their own', () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    [browser, server] = await Promise.all([openBrowser(), demoServer('embedded')]);
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  test('is who the last token says, and nobody of before', async () => {
    const visitor = await Visitor.come(browser, server.url);
    const page = await visitor.open('/?view=sign-in');
    const bring = async (roles: readonly Role[]) => {
      await page.getByText('Use a token of your own').click();
      await page.getByLabel('Token').fill(await server.token('zoe', roles));
      await page.getByRole('button', { name: 'Sign in' }).click();
    };
    const go = (name: string) => page.getByRole('link', { name }).click();

    await bring([]);
    await new DeskOnPage(page, 'zoe').ready();
    await go('Inspector');
    await page.getByText('takes the role admin').waitFor();
    // The same person, who may more.
    await go('One person');
    await bring(['admin']);
    await new DeskOnPage(page, 'zoe').ready();
    await go('Inspector');
    await page.locator('[data-session]', { hasText: 'zoe' }).waitFor();
    expect(await page.title()).toBe('Inspector · Gravitycar Realtime');
    // Somebody else, by one click.
    await go('One person');
    await page.getByRole('button', { name: /Ben Osei/ }).click();
    await new DeskOnPage(page, 'Ben Osei').ready();
    await visitor.leave();
  });

  test('has no part in the demo, and is told so', async () => {
    const visitor = await Visitor.come(browser, server.url);
    const page = await visitor.open('/?view=sign-in');
    await page.getByText('Use a token of your own').click();
    await page.getByLabel('Token').fill(await server.token('zoe'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    const desk = await new DeskOnPage(page, 'zoe').ready();
    await desk.root.getByRole('button', { name: /^Let others write/ }).click();
    await desk.root.getByRole('alert').filter({ hasText: 'for the people of the demo' }).waitFor();
    await visitor.context.close();
  });

  test('hears of the first notification that they ever have', async () => {
    const visitor = await Visitor.come(browser, server.url);
    const page = await visitor.open('/?view=sign-in');
    await page.getByText('Use a token of your own').click();
    await page.getByLabel('Token').fill(await server.token('yan'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    const desk = await new DeskOnPage(page, 'yan').ready();
    await desk.bell().click();
    await desk.inbox().getByText('Nothing here').waitFor();
    await server.ask(
      'ada',
      'mutation { sendNotification(input: { userId: "yan", title: "The first one", message: "Look." }) { id } }',
      {},
      ['admin'],
    );
    await desk.root
      .locator('.inbox [role=status]', { hasText: 'New notification: The first one' })
      .waitFor({ state: 'attached' });
    await visitor.leave();
  });
});
