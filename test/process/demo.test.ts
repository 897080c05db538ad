import { describe, expect, onTestFinished, test } from 'vitest';
import { preparedDatabase } from '../support/database.ts';
import { spawnServer } from '../support/process.ts';

describe('the demo of `npm start`', () => {
  test('is built once, served at /, and its server is for development', async () => {
    const first = await spawnServer({ DEMO: '1', DATA_DIR: 'memory:' });
    const html = await (await fetch(first.url)).text();
    const [, script] = /<script type="module"[^>]* src="(\/assets\/[^"]+\.js)"/.exec(html)!;
    const response = await fetch(first.url + script);
    expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect((await response.text()).length).toBeGreaterThan(50_000);
    expect(first.output()).toMatch(/^demo {9}http/m);
    expect(first.output()).toMatch(/^demo token/m);
    const { people } = (await (await fetch(`${first.url}/demo/people`)).json()) as { people: unknown[] };
    expect(people.length).toBeGreaterThan(2);
    first.signal('SIGTERM');
    expect(await first.ended).toBe(0);

    const database = await preparedDatabase();
    onTestFinished(database.drop);
    const second = await spawnServer({ DEMO: '1', DATABASE_URL: database.url });
    expect(second.errors()).not.toContain('building');
    expect(await (await fetch(second.url)).text()).toBe(html);
    second.signal('SIGTERM');
    expect(await second.ended).toBe(0);
  });

  test('is neither built nor served with DEMO=0', async () => {
    const database = await preparedDatabase();
    onTestFinished(database.drop);
    const server = await spawnServer({ DEMO: '0', DATABASE_URL: database.url });
    expect(await (await fetch(server.url)).text()).toContain('The server is running.');
    expect(server.errors()).not.toContain('the demo');
    server.signal('SIGTERM');
    expect(await server.ended).toBe(0);
  });
});
