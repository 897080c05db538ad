import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** What a guide has of code: under the name that stands above a block, or under its number. */
async function blocksOf(guide: string): Promise<{ path: string; text: string }[]> {
  const text = await readFile(join(root, guide), 'utf8');
  const found = [...text.matchAll(/(?:^`([\w./-]+)`\n\n)?^```(tsx?)\n(.*?)^```$/gms)];
  return found.map(([, name, kind, code], index) => ({
    path: name ?? `src/block-${index + 1}.${kind}`,
    text: code!,
  }));
}

/** The compiler's options in a new application with a bundler. */
const compilerOptions = {
  ...{
    target: 'ES2023',
    module: 'ESNext',
    moduleResolution: 'bundler',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
  },
  ...{ jsx: 'react-jsx', strict: true, noEmit: true, skipLibCheck: true, types: [] },
  // The package as it is in the repository, not as it was last built.
  ...{ customConditions: ['source'], allowImportingTsExtensions: true, erasableSyntaxOnly: true },
};

/** What one block makes, and others go on with. */
const given = "declare const client: import('gravitycar-realtime-client').RealtimeClient;\n";

/** Compiles the code of a guide in a folder of its own, as an application's; answers what the compiler says. */
async function compiled(guide: string): Promise<string> {
  const cache = join(root, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'guide-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const blocks = await blocksOf(guide);
  for (const { path, text } of blocks) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await writeFile(join(folder, 'given.d.ts'), given);
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['.'] }));
  await mkdir(join(folder, 'node_modules'));
  await symlink(join(root, 'client'), join(folder, 'node_modules/gravitycar-realtime-client'), 'junction');

  const command = (name: string) => join(root, 'node_modules/.bin', name);
  if (blocks.some(({ path }) => path === 'codegen.ts')) {
    await run(command('graphql-codegen'), [], { cwd: folder });
  }
  const { stdout } = await run(command('tsc'), ['-p', folder]).catch((error) => error);
  return stdout;
}

test('the code of docs/client.md compiles, with the types that its codegen makes', async () => {
  const blocks = await blocksOf('docs/client.md');
  expect(blocks.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['codegen.ts', 'src/ticker.tsx', 'src/people.tsx', 'src/block-1.ts']),
  );
  expect(await compiled('docs/client.md')).toBe('');
});

test('the code of client/README.md compiles', async () => {
  expect(await blocksOf('client/README.md')).toHaveLength(4);
  expect(await compiled('client/README.md')).toBe('');
});
