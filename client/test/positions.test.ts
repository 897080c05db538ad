import { describe, expect, test } from 'vitest';
import { memoryPositions, Positions } from '../src/positions.ts';

describe('positions', () => {
  test('are written at once where the storage can', () => {
    const storage = memoryPositions();
    new Positions(storage).set('inbox', 'a');
    expect(storage.get('inbox')).toBe('a');
  });

  test('are written one after another, of those that wait the last alone', async () => {
    const written: string[] = [];
    const finish: (() => void)[] = [];
    const positions = new Positions({
      get: () => null,
      set: (_key, value) => {
        written.push(value);
        return new Promise((resolve) => finish.push(resolve));
      },
      remove: () => {},
    });
    for (const position of ['a', 'b', 'c']) positions.set('inbox', position);
    expect(written).toEqual(['a']);
    expect(await positions.get('inbox')).toBe('c');
    finish[0]!();
    await expect.poll(() => written).toEqual(['a', 'c']);
  });

  test('are none where the storage refuses', async () => {
    const refuse = () => {
      throw new Error('full');
    };
    const positions = new Positions({ get: refuse, set: refuse, remove: refuse });
    positions.set('inbox', 'a');
    expect(await positions.get('inbox')).toBeNull();
  });

  test('can be removed', async () => {
    const storage = memoryPositions();
    const positions = new Positions(storage);
    positions.set('inbox', 'a');
    positions.set('inbox', null);
    expect(storage.get('inbox')).toBeUndefined();
    expect(await positions.get('inbox')).toBeNull();
  });
});
