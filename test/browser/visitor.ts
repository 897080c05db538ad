import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { buildSite } from '../../scripts/site.js';
import { type DatabaseKind, type TestServer, testServer } from '../support/server.ts';

/** Where it is, unless `CHROMIUM_PATH` says so. */
const usualPaths = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const flags = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

export function openBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH ?? usualPaths.find((path) => existsSync(path));
  if (!executablePath) throw new Error('There is no Chromium: install it, or name it by CHROMIUM_PATH.');
  return chromium.launch({ executablePath, args: flags });
}

/** The directory of the built demo. */
export async function demoFiles(): Promise<string> {
  const site = await buildSite();
  if (!site) throw new Error('Vite is not installed: run `npm install`.');
  return site;
}

/** A server with the demo at `/`, its people and its content. */
export async function demoServer(
  kind: DatabaseKind,
  environment: Record<string, string> = {},
): Promise<TestServer> {
  return testServer(kind, { DEMO: '1', DEMO_FILES: await demoFiles(), ...environment });
}

export interface VisitOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
}

/** Somebody with a browser of their own, cookies and storage included. */
export class Visitor {
  readonly context: BrowserContext;
  /** What went wrong unseen: errors in the console, failed requests, requests elsewhere. */
  readonly problems: string[] = [];
  readonly #origin: string;

  private constructor(context: BrowserContext, url: string) {
    this.context = context;
    this.#origin = new URL(url).origin;
  }

  static async come(browser: Browser, url: string, options: VisitOptions = {}): Promise<Visitor> {
    const { width = 1_280, height = 860, dark = false } = options;
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
    });
    return new Visitor(context, url);
  }

  /** A tab. */
  async open(path: string): Promise<Page> {
    const page = await this.context.newPage();
    page.setDefaultTimeout(20_000);
    page.on('console', (message) => {
      if (message.type() === 'error') this.problems.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.problems.push(`error: ${error.message}`));
    page.on('requestfailed', (request) => {
      // What the page itself has given up is no failure.
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') this.problems.push(`failed: ${request.url()}`);
    });
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (/^https?:$/.test(protocol) && origin !== this.#origin)
        this.problems.push(`elsewhere: ${request.url()}`);
    });
    page.on('websocket', (socket) => {
      if (new URL(socket.url()).host !== new URL(this.#origin).host)
        this.problems.push(`elsewhere: ${socket.url()}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) this.problems.push(`${response.status()}: ${response.url()}`);
    });
    await page.goto(this.#origin + path);
    return page;
  }

  /** Leaves; nothing may have gone wrong. */
  async leave(): Promise<void> {
    await this.context.close();
    expect(this.problems).toEqual([]);
  }
}
