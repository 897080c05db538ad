import { expect, test } from 'vitest';
import { nextTurn, turnMs } from '../../src/realtime/turns.ts';

/** Each waits in its line, and holds its turn to the end. */
async function order(...names: string[]): Promise<string[]> {
  const heard: string[] = [];
  await Promise.all(
    names.map(async (name) => {
      await nextTurn(name.startsWith('live') ? 'live' : 'catching up');
      heard.push(name);
      const until = performance.now() + 2 * turnMs;
      while (performance.now() < until);
    }),
  );
  return heard;
}

test('whoever is live has the next turn, however many who catch up have asked before', async () => {
  expect((await order('resume 1', 'resume 2', 'resume 3', 'live'))[0]).toBe('live');
});

test('however many are live, one of those who catch up has its part of each turn', async () => {
  expect(await order('resume 1', 'resume 2', 'live 1', 'live 2', 'live 3')).toEqual([
    ...['live 1', 'resume 1', 'live 2', 'resume 2', 'live 3'],
  ]);
});
