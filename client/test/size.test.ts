import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** Gzipped bytes of what an application loads for a module, without what it has of its own and without what it may load later. */
async function sizeOf(source: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL('..', import.meta.url)), loader: 'ts' },
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    outdir: 'out',
    write: false,
    metafile: true,
    external: ['graphql', 'react', '@apollo/client', 'rxjs', '@urql/core'],
  });
  const entry = outputFiles.find(({ path }) => path.endsWith('stdin.js'))!;
  const files = new Map(outputFiles.map((file) => [file.path.split('/').at(-1)!, file]));
  const needed = [...entry.text.matchAll(/(?:from|import)"\.\/([^"]+)"/g)].map(
    ([, name]) => files.get(name!)!,
  );
  return [entry, ...needed].reduce((sum, { contents }) => sum + gzipSync(contents).length, 0);
}

test('the core, with graphql-ws, is as small as the README says, and below 12 kB gzipped', async () => {
  const bytes = await sizeOf("export { createRealtimeClient, localPositions } from './src/index.ts'");
  expect(bytes).toBeLessThan(12_000);
  const [, stated] = /The core is ([\d.]+) kB gzipped/.exec(readme) ?? [];
  expect((bytes / 1_000).toFixed(1)).toBe(stated);
});

test('who does not use the client does not load it', async () => {
  expect(await sizeOf("export { localPositions } from './src/index.ts'")).toBeLessThan(600);
});
