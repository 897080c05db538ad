import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { setAlarm } from '../../src/lib/alarm.ts';

const hour = 3_600_000;
const now = Date.UTC(2030, 0, 1);

describe('an alarm', () => {
  const ring = vi.fn();
  beforeEach(() => void vi.useFakeTimers({ now }));
  afterEach(() => {
    vi.useRealTimers();
    ring.mockClear();
  });

  test.each([1, 59_999, hour, 365 * 24 * hour])('rings after %i ms, and not before', (after) => {
    setAlarm(now + after, ring);
    vi.advanceTimersByTime(after - 1);
    expect(ring).toHaveBeenCalledTimes(0);
    vi.advanceTimersByTime(1);
    expect(ring).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(hour);
    expect(ring).toHaveBeenCalledTimes(1);
  });

  test('rings within a minute when the clock is set forward', () => {
    setAlarm(now + 5 * hour, ring);
    vi.setSystemTime(now + 6 * hour);
    vi.advanceTimersByTime(60_000);
    expect(ring).toHaveBeenCalledTimes(1);
  });

  test('does not ring early when the clock is set back', () => {
    setAlarm(now + 30_000, ring);
    vi.setSystemTime(now - hour);
    vi.advanceTimersByTime(hour);
    expect(ring).not.toHaveBeenCalled();
    vi.advanceTimersByTime(30_000);
    expect(ring).toHaveBeenCalledTimes(1);
  });

  test('that is called off does not ring, however often it has looked', () => {
    const callOff = setAlarm(now + hour, ring);
    vi.advanceTimersByTime(hour / 2);
    callOff();
    vi.advanceTimersByTime(hour);
    expect(ring).not.toHaveBeenCalled();
  });

  test('rings at once for an instant that has passed', () => {
    setAlarm(now - hour, ring);
    vi.advanceTimersByTime(1);
    expect(ring).toHaveBeenCalledTimes(1);
  });
});
