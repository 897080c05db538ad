import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Epoch, Positions } from '../../src/realtime/position.ts';

const epoch = (id: string, until: number | null = null): Epoch => ({ id, key: randomBytes(32), until });
const current = epoch('00000000000000aa');

describe('a sealed position', () => {
  const positions = new Positions([current]);

  test('opens to what was sealed', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (position) => {
        expect(positions.open(positions.seal(position))).toEqual({ position });
      }),
    );
  });

  test('shows nothing of how far apart two positions are', () => {
    const [one, other] = [positions.seal(1), positions.seal(2)].map((text) => Buffer.from(text, 'base64url'));
    const same = one!.filter((byte, index) => byte === other![index]).length;
    expect(same).toBeLessThan(14);
  });

  test('is malformed after any change of one character', () => {
    const sealed = positions.seal(12_345);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    fc.assert(
      fc.property(fc.nat({ max: sealed.length - 1 }), fc.constantFrom(...alphabet), (index, character) => {
        fc.pre(sealed[index] !== character);
        expect(positions.open(sealed.slice(0, index) + character + sealed.slice(index + 1))).toBe(
          'malformed',
        );
      }),
    );
  });

  test('is malformed when it is any other string', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(positions.open(text)).toBe('malformed');
      }),
    );
  });

  test('of another database has expired', () => {
    const other = new Positions([epoch('00000000000000bb')]);
    expect(positions.open(other.seal(1))).toBe('expired');
  });

  test('of an earlier epoch is good up to where that ended', () => {
    const earlier = { ...current, id: '00000000000000cc' };
    const before = new Positions([earlier]);
    const after = new Positions([current, { ...earlier, until: 100 }]);
    expect(after.open(before.seal(100))).toEqual({ position: 100 });
    expect(after.open(before.seal(101))).toBe('expired');
  });
});
