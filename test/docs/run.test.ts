import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { secret, type TestServer, testServer } from '../support/server.ts';
import { blocksOf, pages, root } from './pages.ts';
import { Terminal } from './terminal.ts';

const single = ['docs/plain.md', 'docs/live-lists.md'];
const run = pages().filter((page) => single.includes(page) || page.startsWith('docs/getting-started/'));

/**
 * Every name that an example has, with those that its value has. One element of a list stands for those that are
 * there.
 */
function shapeOf(value: any): unknown {
  if (typeof value === 'boolean') return value;
  if (Array.isArray(value)) return expect.arrayContaining(value.map(shapeOf));
  if (typeof value !== 'object' || value === null) return expect.anything();
  const names = Object.entries(value).map(([name, part]) => [name, part === null ? null : shapeOf(part)]);
  return expect.objectContaining(Object.fromEntries(names));
}

/** On pages that are not followed. */
const statements = pages()
  .filter((page) => !run.includes(page))
  .flatMap((page) => blocksOf(page).flatMap(({ kind, code }) => (kind === 'sql' ? [{ page, code }] : [])));

const begin = 'docs/getting-started/README.md';

describe('a reader who does what stands there', () => {
  let server: TestServer;
  /** After the page that all others go on from. */
  let begun: NodeJS.ProcessEnv;

  beforeAll(async () => {
    server = await testServer('postgres', { DEMO: '1' });
    const { PATH, HOME } = process.env;
    begun = await follow(begin, { PATH, HOME, JWT_SECRET: secret, DATABASE_URL: server.databaseUrl! });
  });
  afterAll(() => server.close());

  /** Answers what is exported at the end of a page. */
  async function follow(page: string, environment: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
    const cache = join(root, 'node_modules/.cache');
    await mkdir(cache, { recursive: true });
    const folder = await mkdtemp(join(cache, 'reader-'));
    const terminal = new Terminal(folder, environment);
    const here = (text: string) => text.replaceAll('localhost:4000', new URL(server.url).host);
    try {
      const blocks = blocksOf(page);
      for (const [index, { kind, code, file, before }] of blocks.entries()) {
        if (before.includes('Ctrl+C')) await terminal.interrupt();
        if (file) {
          await mkdir(dirname(join(folder, file)), { recursive: true });
          await writeFile(join(folder, file), here(code));
        }
        if (kind === 'sql') await server.sql(...code.split(/;$/m).filter((statement) => statement.trim()));
        if (kind !== 'sh') continue;
        const next = blocks[index + 1];
        const answer = next?.before.trim() === '' ? next : undefined;
        if (answer?.kind === 'text') {
          await terminal.show(here(code), answer.code);
          continue;
        }
        const output = await terminal.run(here(code));
        if (answer?.kind === 'json') expect(JSON.parse(output)).toEqual(shapeOf(JSON.parse(answer.code)));
      }
      await terminal.interrupt();
      return terminal.environment;
    } finally {
      terminal.close();
      await rm(folder, { recursive: true });
    }
  }

  test.each(run.filter((page) => page !== begin))('in %s sees what stands there', async (page) => {
    await follow(page, begun);
  });

  test.each(statements)('in $page has SQL that the database takes', async ({ code }) => {
    expect(await server.sql(code)).toHaveLength(1);
  });
});
