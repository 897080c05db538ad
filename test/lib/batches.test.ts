import { expect, test } from 'vitest';
import { inBatches } from '../../src/lib/batches.ts';

/** Loads numbers that answer themselves, in batches of ten, and only when it is let. */
function numbers() {
  const underWay: (() => void)[] = [];
  const sizes: number[] = [];
  let most = 0;
  const load = inBatches<number, number>(async (keys) => {
    sizes.push(keys.length);
    await new Promise<void>((resolve) => {
      underWay.push(resolve);
      most = Math.max(most, underWay.length);
      // Whoever is let begin beside it has begun by then.
      setImmediate(() => setImmediate(() => underWay.shift()!()));
    });
    if (keys.includes(-1)) throw new Error('one of them');
    return keys;
  }, 10);
  return { load, sizes, most: () => most };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

test('A crowd is loaded by full batches, of which one at a time is under way', async () => {
  const { load, sizes, most } = numbers();
  expect(await Promise.all(upTo(95).map(load))).toEqual(upTo(95));
  expect(sizes).toEqual([10, 10, 10, 10, 10, 10, 10, 10, 10, 5]);
  expect(most()).toBe(1);
});

test('Who asks while a batch is under way is in the next', async () => {
  const later: Promise<number>[] = [];
  const sizes: number[] = [];
  const load = inBatches<number, number>(async (keys) => {
    sizes.push(keys.length);
    if (keys.includes(0)) later.push(load(1), load(2), load(3));
    return keys;
  });
  expect(await load(0)).toBe(0);
  expect(await Promise.all(later)).toEqual([1, 2, 3]);
  expect(sizes).toEqual([1, 3]);
});

test('A batch that fails is told to those in it, and keeps nobody behind it waiting', async () => {
  const { load } = numbers();
  const answers = await Promise.allSettled([-1, ...upTo(14)].map(load));
  expect(answers.map(({ status }) => status)).toEqual([
    ...Array(10).fill('rejected'),
    ...Array(5).fill('fulfilled'),
  ]);
});
