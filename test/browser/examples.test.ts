import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify, stripVTControlCharacters } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { openBrowser, Visitor } from './visitor.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => JSON.parse(readFileSync(root + path, 'utf8'));
const sendMessage = `mutation ($body: String!) {
  sendMessage(input: { channel: "welcome", body: $body }) { id }
}`;

let browser: Browser;
let server: TestServer;

beforeAll(async () => {
  [browser, server] = await Promise.all([openBrowser(), testServer('postgres', { DEMO: '1' })]);
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

/** As `npm run example` does it. Answers its address. */
async function start(name: string): Promise<string> {
  const child: ChildProcess = spawn(process.execPath, ['scripts/example.js', name], {
    cwd: root,
    env: { ...process.env, REALTIME_URL: server.url, NODE_ENV: 'development' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill();
    await ended;
  });
  let output = '';
  child.stdout!.setEncoding('utf8').on('data', (chunk) => {
    output += stripVTControlCharacters(chunk);
  });
  const address = () => /Local: +(http:\S+?)\/?\s/.exec(output)?.[1];
  await eventually(() => expect(address()).toBeDefined());
  return address()!;
}

describe.each(['apollo', 'urql'])('the example of %s', (name) => {
  test('shows what others send, also while it was cut off, and sends', async () => {
    const visitor = await Visitor.come(browser, await start(name));
    visitor.context.on('console', (message) => {
      if (message.type() === 'warning') visitor.problems.push(`warning: ${message.text()}`);
    });
    const page = await visitor.open('/');
    const shown = (text: string) => page.locator('li', { hasText: text });
    await page.getByLabel('Token').fill(await server.token('ada'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await shown('Welcome, everyone.').waitFor();
    await page.getByRole('status').getByText('connected').waitFor();

    await server.ask('ben', sendMessage, { body: `To ${name}` });
    await shown(`To ${name}`).waitFor();

    await server.ask('root', 'mutation { disconnect(userId: "ada") }', {}, ['admin']);
    for (const body of [`${name} 1`, `${name} 2`]) await server.ask('ben', sendMessage, { body });
    await shown(`${name} 2`).waitFor();
    expect(await shown(`${name} 1`).count()).toBe(1);
    expect(await shown(`${name} 2`).count()).toBe(1);

    await page.getByLabel('Message').fill(`From ${name}`);
    await page.getByRole('button', { name: 'Send' }).click();
    await shown(`From ${name}`).waitFor();
    await eventually(async () => expect(await page.getByLabel('Message').inputValue()).toBe(''));
    expect(await shown(`From ${name}`).count()).toBe(1);
    expect(await page.getByRole('alert').allTextContents()).toEqual(name === 'urql' ? [''] : []);
    await visitor.leave();
  });

  test('asks for the versions that it is tested with', () => {
    const { dependencies, devDependencies } = read(`examples/${name}/package.json`);
    const tested = ['package.json', 'client/package.json', 'web/package.json'].map(read);
    const versions = Object.assign(
      { 'gravitycar-realtime-client': read('client/package.json').version },
      ...tested.flatMap((manifest) => [manifest.dependencies, manifest.devDependencies]),
    );
    for (const [dependency, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(`${dependency} ${version}`).toBe(`${dependency} ${versions[dependency]}`);
    }
  });
});

describe('the example of a server', () => {
  const run = (token: string) =>
    promisify(execFile)(process.execPath, [`${root}examples/server-to-server/send.mjs`, '77'], {
      env: { PATH: process.env.PATH, REALTIME_URL: server.url, REALTIME_TOKEN: token },
    });

  test('tells of an order, and the second time of nothing new', async () => {
    const ada = await server.socket('ada');
    const heard: unknown[] = [];
    const streams = [
      'notificationReceived { title data }',
      'channelMessage(channel: "welcome") { body }',
      'eventReceived(types: ["order.shipped"]) { payload }',
    ].map((field) => ada.run({ query: `subscription { ${field} }` }));
    // What follows on the same socket waits until they are attached.
    await ada.run({ query: '{ viewer { id } }' }).next();
    for (const stream of streams) {
      void (async () => {
        for (;;) heard.push((await stream.next()).data);
      })().catch(() => {});
    }
    const token = await server.token('shop', ['service']);
    const first = await run(token);
    const second = await run(token);
    expect(second.stdout.replace(/^event .*$/m, '')).toBe(first.stdout.replace(/^event .*$/m, ''));

    const event = { eventReceived: { payload: { key: 'shipped:77', order: 77 } } };
    const told = [
      { notificationReceived: { title: 'On its way', data: { order: 77 } } },
      { channelMessage: { body: 'Order 77 is on its way.' } },
    ];
    await eventually(() => expect(heard).toHaveLength(4));
    expect(heard).toEqual(expect.arrayContaining([...told, event]));
    expect(heard.filter((each) => JSON.stringify(each) === JSON.stringify(event))).toHaveLength(2);
    await ada.close();
  });

  test('ends with the reason when it is refused', async () => {
    const failure = await run(await server.token('mallory')).catch((error) => error);
    expect(failure).toMatchObject({ code: 1 });
    expect(failure.stderr).toContain("code: 'FORBIDDEN'");
  });
});
