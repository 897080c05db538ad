import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { closureOfSocket, closureOfStatus } from '../src/closure.ts';

/** The close codes of docs/errors.md, and what it says of coming back. */
const documented = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, code, , comesBack] = line.split('|').map((cell) => cell.trim());
    return /^\d{4}$/.test(code ?? '') ? [[Number(code), comesBack!] as const] : [];
  });

test('there are close codes to compare with', () => {
  expect(documented.length).toBeGreaterThan(10);
});

test.each(documented)('%i is come back from as documented: %s', (code, comesBack) => {
  const { kind } = closureOfSocket(code, '', false);
  if (comesBack === 'no') expect(kind).toBe('final');
  else if (comesBack === 'yes') expect(kind).toBe('lost');
  else expect(kind).toBe('rejected');
});

test('a token that has been good enough is only lost', () => {
  expect(closureOfSocket(4403, 'token expired', true).kind).toBe('lost');
});

test.each([
  [1006, 'unreachable', 'lost'],
  [4499, 'unreachable', 'lost'],
  [4504, 'unreachable', 'lost'],
  [1001, 'unreachable', 'lost'],
  [1000, 'unreachable', 'lost'],
])('%i is %s before the socket was let in, and %s after', (code, before, after) => {
  expect(closureOfSocket(code, '', false).kind).toBe(before);
  expect(closureOfSocket(code, '', true).kind).toBe(after);
});

test.each([
  [401, 'rejected'],
  [403, 'final'],
  [404, 'lost'],
  [415, 'final'],
  [429, 'lost'],
  [500, 'lost'],
  [503, 'lost'],
])('HTTP %i is %s', (status, kind) => {
  expect(closureOfStatus(status, false).kind).toBe(kind);
});

test('HTTP 401 on a connection whose token was good is only lost', () => {
  expect(closureOfStatus(401, true).kind).toBe('lost');
});
