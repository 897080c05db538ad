import { describe, expect, test } from 'vitest';
import { canonical } from '../../src/domain/model-value.ts';

const equal: [string, unknown, unknown][] = [
  ['numeric', '1.50', 1.5],
  ['numeric', '-0.00', 0],
  ['numeric', '0012', '12'],
  ['numeric', '000', '-0.'],
  ['numeric', '1.0500', '1.05'],
  ['bigint', '9007199254740993', '9007199254740993'],
  ['bigint', '7', 7],
  ['uuid', '0192E4A0-0000-7000-8000-00000000000A', '0192e4a0-0000-7000-8000-00000000000a'],
  ['citext', 'ABC', 'abc'],
  ['character', 'ab  ', 'ab'],
  ['timestamp with time zone', '2026-11-24T12:00:00+09:00', '2026-11-24T03:00:00Z'],
  ['timestamp with time zone', '2026-11-24T03:00:00.5Z', '2026-11-24T03:00:00.500000+00:00'],
  ['timestamp without time zone', '2026-11-24 12:00', '2026-11-24T12:00:00.000'],
  ['time without time zone', '12:00', '12:00:00.0'],
  ['double precision', 1, 1.0],
  ['text', null, null],
];

const different: [string, unknown, unknown][] = [
  ['numeric', '1.5', '15'],
  ['bigint', '9007199254740993', '9007199254740992'],
  ['text', 'a', 'A'],
  ['text', 'null', null],
  ['timestamp with time zone', '2026-11-24T03:00:00.000001Z', '2026-11-24T03:00:00Z'],
];

const foreign: [string, unknown][] = [
  ['integer', '1'],
  ['integer', 1.5],
  ['bigint', '1x'],
  ['numeric', true],
  // Of JSON's 1e999 JavaScript makes it.
  ['numeric', Number.POSITIVE_INFINITY],
  ['double precision', Number.POSITIVE_INFINITY],
  ['boolean', 'true'],
  ['uuid', 'not one'],
  ['date', '24.11.2026'],
  ['timestamp with time zone', '2026-11-24T03:00:00'],
  ['text', { a: 1 }],
];

describe('values of columns', () => {
  test.each(equal)('of %s: %j and %j are one', (type, one, other) => {
    expect(canonical(type, one)).toBe(canonical(type, other));
    expect(canonical(type, one)).not.toBeNull();
  });

  test.each(different)('of %s: %j and %j are two', (type, one, other) => {
    expect(canonical(type, one)).not.toBe(canonical(type, other));
  });

  test.each(foreign)('of %s: %j is none', (type, value) => {
    expect(canonical(type, value)).toBeNull();
  });

  /** As long as a message may be: they came from whoever asks, and everybody waits meanwhile. */
  test.each([
    ['numeric', `${'0'.repeat(1_000_000)}x`],
    ['numeric', `0.${'0'.repeat(1_000_000)}x`],
    ['bigint', `${'0'.repeat(1_000_000)}x`],
    ['character', `${' '.repeat(1_000_000)}x`],
  ])('of %s take no longer than they are long', (type, value) => {
    const began = performance.now();
    canonical(type, value);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
