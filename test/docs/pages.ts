import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Folders whose every page counts, and single pages. */
const folders = ['docs', 'examples'];
const single = ['README.md', 'CHANGELOG.md', 'client/README.md'];

/** Every page that a user may read, by its path in the repository. */
export function pages(): string[] {
  const found = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.md') && !path.includes('node_modules'))
      .map((path) => `${folder}/${path.replaceAll('\\', '/')}`),
  );
  return [...single, ...found.sort()];
}

export const read = (page: string): string => readFileSync(join(root, page), 'utf8');

/** A piece of code on a page. */
export interface Block {
  /** `ts`, `sh` and so on; empty where nothing is said. */
  readonly kind: string;
  readonly code: string;
  /** The path that stands alone above it, if it is a file. */
  readonly file: string | undefined;
  /** What is said between the piece before and this one. */
  readonly before: string;
}

export function blocksOf(page: string): Block[] {
  const text = read(page);
  let end = 0;
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(({ index, 0: { length }, 1: kind, 2: code }) => {
    const before = text.slice(end, index);
    end = index + length;
    return { kind: kind!, code: code!, before, file: /^`([\w./-]+)`\n\n$/m.exec(before)?.[1] };
  });
}

/** What is left of a page when its code is taken out. */
export const proseOf = (page: string): string =>
  read(page)
    .replace(/^```.*?^```$/gms, '')
    .replace(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]<>|]/g, ' '));
