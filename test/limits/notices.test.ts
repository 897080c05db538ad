import { describe, expect, test, vi } from 'vitest';
import { createNotices } from '../../src/limits/notices.ts';

describe('a flood', () => {
  test('is told in one line of each kind in five seconds, with who and how often', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const lines: object[] = [];
    const noticed = createNotices({ warn: (line: object) => lines.push(line) } as never);

    for (let index = 0; index < 1_000; index += 1)
      noticed('OPERATION_RATE_PER_USER', { userId: `user-${index}` });
    noticed('CONNECTION_RATE_PER_IP', { address: '203.0.113.9' });
    vi.advanceTimersByTime(5_000);
    noticed('OPERATION_RATE_PER_USER', { userId: 'mallory' });
    vi.useRealTimers();

    expect(lines).toEqual([
      { limit: 'OPERATION_RATE_PER_USER', userId: 'user-0', times: 1 },
      { limit: 'CONNECTION_RATE_PER_IP', address: '203.0.113.9', times: 1 },
      { limit: 'OPERATION_RATE_PER_USER', userId: 'mallory', times: 1_000 },
    ]);
  });
});
