import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { openBrowser } from '../../../test/browser/visitor.ts';
import { until } from '../../../test/support/until.ts';
import type { Connection } from '../../src/index.ts';
import type { TabOptions } from './tab-page.ts';

/** A directory with a page that has the client in it, for a server to serve; removed after the tests of the file. */
export async function pageFiles(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'realtime-page-'));
  afterAll(() => rm(directory, { recursive: true }));
  await build({
    entryPoints: { page: fileURLToPath(new URL('tab-page.ts', import.meta.url)) },
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    outdir: directory,
  });
  await writeFile(
    join(directory, 'index.html'),
    '<!doctype html><script type="module" src="/page.js"></script>',
  );
  return directory;
}

/** A tab with a client. */
export class Tab {
  readonly page: Page;
  readonly #options: TabOptions;
  #stopped: CDPSession | null = null;

  private constructor(page: Page, options: TabOptions) {
    this.page = page;
    this.#options = options;
  }

  static async open(context: BrowserContext, url: string, options: TabOptions): Promise<Tab> {
    const page = await context.newPage();
    const tab = new Tab(page, options);
    await page.goto(url);
    await tab.#start();
    return tab;
  }

  async #start(): Promise<void> {
    await this.page.evaluate((options) => {
      window.tab = window.openTab(options);
    }, this.#options);
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.#start();
  }

  connection(): Promise<Connection> {
    return this.page.evaluate(() => window.tab.client.connection);
  }

  async has(status: Connection['status']): Promise<void> {
    await until(`a tab is ${status}`, 30_000, async () => (await this.connection()).status === status);
  }

  listen(channel: string, key?: string): Promise<number> {
    return this.page.evaluate(([channel, key]) => window.tab.listen(channel!, key), [channel, key]);
  }

  bodies(number = 0): Promise<readonly string[]> {
    return this.page.evaluate((number) => window.tab.bodies(number), number);
  }

  leave(number = 0): Promise<void> {
    return this.page.evaluate((number) => window.tab.leave(number), number);
  }

  execute(channel: string, body: string): Promise<string> {
    return this.page.evaluate(([channel, body]) => window.tab.execute(channel!, body!), [channel, body]);
  }

  enqueue(channel: string, body: string, clientId: string): Promise<string> {
    return this.page.evaluate(
      ([channel, body, clientId]) => window.tab.enqueue(channel!, body!, clientId!),
      [channel, body, clientId],
    );
  }

  /** The codes of what an earlier page had queued and was refused. */
  refused(): Promise<readonly string[]> {
    return this.page.evaluate(() => window.tab.refused);
  }

  close(): Promise<void> {
    return this.page.close();
  }

  /** As a tab that is out of memory: nothing of it runs any more, not even what says goodbye. */
  async crash(): Promise<void> {
    const session = await this.page.context().newCDPSession(this.page);
    const crashed = this.page.waitForEvent('crash');
    session.send('Page.crash').catch(() => {});
    await crashed;
  }

  /** Nothing of it runs until it goes on, as at a breakpoint. It has heard `lastly` before. */
  async stop(lastly = ''): Promise<void> {
    this.#stopped = await this.page.context().newCDPSession(this.page);
    await this.#stopped.send('Debugger.enable');
    const stopped = new Promise((resolve) => this.#stopped!.once('Debugger.paused', resolve));
    await this.#stopped.send('Runtime.evaluate', { expression: lastly });
    this.#stopped.send('Runtime.evaluate', { expression: 'debugger' }).catch(() => {});
    await stopped;
  }

  async goOn(firstly = ''): Promise<void> {
    await this.#stopped!.send('Debugger.resume');
    await this.#stopped!.send('Runtime.evaluate', { expression: firstly });
    await this.#stopped!.detach();
  }

  /** As a tab that nobody has looked at for long: a browser without a screen has no such tabs of its own. */
  freeze(): Promise<void> {
    return this.stop("document.dispatchEvent(new Event('freeze'))");
  }

  thaw(): Promise<void> {
    return this.goOn("document.dispatchEvent(new Event('resume'))");
  }
}

/** One browser for the tests of a file. Each test has tabs of its own, in one profile. */
export function tabs(url: () => string) {
  let browser: Browser;
  let context: BrowserContext | null = null;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterEach(async () => {
    await context?.close();
    context = null;
  });
  afterAll(() => browser.close());
  return {
    async context(): Promise<BrowserContext> {
      context ??= await browser.newContext();
      return context;
    },
    async open(options: TabOptions): Promise<Tab> {
      return Tab.open(await this.context(), url(), options);
    },
  };
}
