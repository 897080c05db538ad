import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pages, proseOf, read, root } from './pages.ts';

/** As GitHub names them. */
const anchorsOf = (page: string): string[] =>
  [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );

const isElsewhere = (target: string) => /^[a-z]+:/.test(target);

function linksOf(page: string): string[] {
  const inline = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)];
  const named = [...proseOf(page).matchAll(/^\[[^\]]+\]: (\S+)$/gm)];
  return [...inline, ...named].map(([, target]) => target!);
}

/** What is wrong with a link; null if it leads somewhere. */
function problemOf(page: string, target: string): string | null {
  const [path, anchor] = target.split('#');
  const file = path === '' ? page : posix.join(posix.dirname(page), path!);
  if (!existsSync(root + file)) return `${target}: there is no ${file}`;
  if (anchor && !anchorsOf(file).includes(anchor)) return `${target}: ${file} has no #${anchor}`;
  return null;
}

describe.each(pages())('%s', (page) => {
  test('has links that lead to what is there', () => {
    const near = linksOf(page).filter((target) => !isElsewhere(target));
    expect(near.map((target) => problemOf(page, target)).filter(Boolean)).toEqual([]);
  });

  test('has a target for each of its named links, and a use', () => {
    const targets = [...proseOf(page).matchAll(/^\[([^\]]+)\]: \S+$/gm)].map(([, name]) => name!);
    const uses = [...proseOf(page).matchAll(/\]\[([^\]]+)\]/g)].map(([, name]) => name!);
    expect([...new Set(uses)].sort()).toEqual([...new Set(targets)].sort());
  });
});

/** What a user of such a server looks for. */
const topics = [
  ...['apollo', 'urql', 'graphql-ws', 'sse-and-curl', 'server-to-server'].map(
    (client) => `getting-started/${client}`,
  ),
  ...['delivery', 'limits', 'errors', 'configuration', 'architecture'],
  ...['performance', 'operations', 'security'],
];

test.each(topics)('there is a page about %s, and the README leads there', (topic) => {
  expect(linksOf('README.md')).toContain(`docs/${topic}.md`);
});

test('every page of docs is found from the README, directly or by another page', () => {
  const found = new Set(['README.md']);
  for (const page of found) {
    for (const target of linksOf(page).filter((each) => !isElsewhere(each))) {
      const file = posix.join(posix.dirname(page), target.split('#')[0]!);
      if (file.endsWith('.md') && existsSync(root + file)) found.add(file);
    }
  }
  const decisions = pages().filter((page) => page.startsWith('docs/decisions/'));
  expect(pages().filter((page) => !found.has(page) && !decisions.includes(page))).toEqual([]);
});

describe('the comparison in the README', () => {
  const [head, , ...rows] = /\n\n(\| +\| this .*?)\n\n/s
    .exec(read('README.md'))![1]!
    .split('\n')
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const peers = head!.slice(2);

  test('is with those that are asked about', () => {
    expect(peers.join(', ')).toBe(
      'Hasura subscriptions, Supabase Realtime, Centrifugo, AnyCable, Novu, graphql-redis-subscriptions',
    );
    expect(rows.length).toBeGreaterThanOrEqual(12);
  });

  test.each(rows.map((row) => [row[0]!, row] as const))('has sources for %s', (_name, [, ours, ...cells]) => {
    expect(ours).not.toBe('');
    expect(cells).toHaveLength(peers.length);
    for (const cell of cells) expect(cell).toMatch(/\]\[[\w-]+\]|^not documented$/);
  });
});
