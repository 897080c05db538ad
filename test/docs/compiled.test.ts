import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { parse, validate } from 'graphql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { schema } from '../../src/schema/index.ts';
import { type Block, blocksOf, pages, root } from './pages.ts';

/** `client/test/guide.test.ts` compiles this one, with the types that codegen makes of it. */
const elsewhere = 'docs/client.md';
const code = new Set(['ts', 'tsx', 'js']);
const all = pages().flatMap((page) => blocksOf(page).map((block) => ({ page, ...block })));

/** Of a new application with a bundler. */
const compilerOptions = {
  ...{ target: 'ES2023', module: 'ESNext', moduleResolution: 'bundler', moduleDetection: 'force' },
  ...{ lib: ['ES2023', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'], jsx: 'react-jsx', types: ['node'] },
  ...{ strict: true, noEmit: true, skipLibCheck: true, erasableSyntaxOnly: true },
  ...{ allowJs: true, checkJs: true, allowImportingTsExtensions: true },
  // The package as it is in the repository, not as it was last built.
  customConditions: ['source'],
};

/** What readers have of their own, where a page shows a part of something. */
const given = `
declare const token: string;
declare const liveList: typeof import('${root}examples/live-list.ts').liveList;
interface Order { readonly id: string }
declare function getToken(): Promise<any>;
declare function ask(query: string): Promise<any>;
declare function fetchOrders(filter: object): Promise<Order[]>;
declare function render(rows: Order[]): void;
declare function show(what: unknown): void;
declare function append(what: unknown): void;
declare function hide(what: unknown): void;
declare function loadAnew(what: unknown): void;
`;

test('the code of every page compiles', async () => {
  const cache = join(root, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'pages-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  // A file of JavaScript is not compiled by its readers: `run.test.ts` runs it.
  const blocks = all.filter(
    ({ page, kind, file }) => page !== elsewhere && code.has(kind) && !(kind === 'js' && file),
  );
  expect(blocks.length).toBeGreaterThanOrEqual(15);
  for (const [index, block] of blocks.entries()) {
    const name = block.file ?? `src/block-${index}.${block.kind}`;
    const path = join(folder, block.page, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, block.code);
  }
  await writeFile(join(folder, 'given.d.ts'), given);
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['.'] }));
  await mkdir(join(folder, 'node_modules'));
  await symlink(join(root, 'client'), join(folder, 'node_modules/gravitycar-realtime-client'), 'junction');

  const compiler = join(root, 'node_modules/.bin/tsc');
  const { code: exit = 0, stdout } = await promisify(execFile)(compiler, ['-p', folder]).catch(
    (error) => error,
  );
  expect([exit, stdout]).toEqual([0, '']);
});

/** How a block of each kind is looked at. What has no kind is shown, not run: a drawing, or a line to be filled in. */
const checks: Record<string, (block: Block & { page: string }) => unknown> = {
  ...{ ts: () => 'compiled', tsx: () => 'compiled', js: () => 'compiled', mermaid: () => 'drawn' },
  graphql: ({ code }) => expect(validate(schema, parse(code)).map(({ message }) => message)).toEqual([]),
  json: ({ code }) => JSON.parse(code),
  sh: ({ code }) => promisify(execFile)('bash', ['-n', '-c', code]),
  sql: () => 'run by run.test.ts',
  text: () => 'compared by run.test.ts',
  '': () => 'shown',
};

describe('a block of code', () => {
  test.each(all)('of $page, $kind, is what it says', async (block) => {
    expect(Object.keys(checks)).toContain(block.kind);
    await checks[block.kind]!(block);
  });
});

describe('a file of an example', () => {
  const shown = ['apollo', 'urql', 'server-to-server'].flatMap((example) =>
    blocksOf(`docs/getting-started/${example}.md`).flatMap(({ file, code }) =>
      file ? [{ path: `examples/${example}/${file}`, code }] : [],
    ),
  );

  test.each(shown)('is shown as it is: $path', async ({ path, code }) => {
    expect(code).toBe(await readFile(join(root, path), 'utf8'));
  });

  test('is shown for each of them', () => {
    expect(shown.length).toBeGreaterThanOrEqual(6);
  });
});
