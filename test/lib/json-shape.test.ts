import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isExcessive, JsonShape } from '../../src/lib/json-shape.ts';

const padding = 'x'.repeat(20_000);
const levels = (depth: number) => `${'['.repeat(depth)}"${padding}"${']'.repeat(depth)}`;
const values = (count: number) => `["${padding}"${',1'.repeat(count - 1)}]`;

test.each([
  ['as many levels as are read', levels(100), false],
  ['one level more', levels(101), true],
  ['as many values as are read', values(200_000), false],
  ['one value more', values(200_001), true],
  ['brackets that are text', JSON.stringify({ text: '[{'.repeat(150_000) }), false],
  ['commas behind an escaped quote', JSON.stringify({ text: `"${','.repeat(250_000)}` }), false],
  ['a short text, however deep', '['.repeat(16_384), false],
])('%s', (_what, json, answer) => {
  expect(isExcessive(Buffer.from(json))).toBe(answer);
});

test('JSON is judged alike in whatever pieces it comes', () => {
  const text = fc.string({ unit: fc.constantFrom('"', '\\', '[', ',', 'é', 'a') });
  const within = fc.tuple(fc.array(text), fc.integer({ min: 95, max: 105 }));
  const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 });
  fc.assert(
    fc.property(within, cuts, ([texts, depth], lengths) => {
      const json = Buffer.from(`[${JSON.stringify(texts)},${levels(depth)},${JSON.stringify(texts)}]`);
      const shape = new JsonShape();
      let isTooMuch = false;
      for (let [at, index] = [0, 0]; at < json.length; index += 1) {
        const length = lengths[index % lengths.length]!;
        isTooMuch ||= shape.isExcessiveWith(json.subarray(at, at + length));
        at += length;
      }
      expect(isTooMuch).toBe(isExcessive(json));
      expect(isTooMuch).toBe(depth >= 100);
    }),
  );
});
