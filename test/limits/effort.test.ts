import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Efforts } from '../../src/limits/effort.ts';
import { Lanes } from '../../src/limits/lanes.ts';

describe('what somebody makes the node work', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const work = (ms: number) => () => vi.advanceTimersByTime(ms);

  test('is not noticed now and then', () => {
    const effort = new Efforts().of('alice', () => {});
    effort.run(work(8));
    expect(effort.restMs).toBeNull();
  });

  test('is a fifth of the time at most', () => {
    const efforts = new Efforts();
    const startedAt = performance.now();
    for (let round = 0; round < 1_000; round += 1) {
      // Two sockets of one user.
      const effort = efforts.of('alice', () => {});
      effort.run(work(5));
      vi.advanceTimersByTime(effort.restMs ?? 0);
    }
    const took = performance.now() - startedAt;
    expect(took).toBeGreaterThan(24_900);
    expect(took).toBeLessThan(25_100);
  });

  test('makes nobody else wait', () => {
    const efforts = new Efforts();
    const mallory = efforts.of('mallory', () => {});
    for (let round = 0; round < 100; round += 1) mallory.run(work(5));
    expect(mallory.restMs).toBeGreaterThan(1_000);
    expect(efforts.of('alice', () => {}).restMs).toBeNull();
  });

  test('is written down when it fails, and is not more than one interruption may last', () => {
    const effort = new Efforts().of('alice', () => {});
    const fail = () => {
      vi.advanceTimersByTime(60_000);
      throw new Error('no');
    };
    expect(() => effort.run(fail)).toThrow('no');
    expect(effort.restMs).toBe(50);
  });

  test('lets texts be read one after the other, and sends away who would wait too long', async () => {
    let refused = 0;
    const effort = new Efforts().of('mallory', () => (refused += 1));
    const read: number[] = [];
    const reading = Array.from({ length: 40 }, (_, index) =>
      effort.turn(4_000_000).then(() => void read.push(index)),
    );
    const settled = Promise.allSettled(reading);
    await vi.advanceTimersByTimeAsync(0);
    expect(read).toEqual([0]);
    await vi.advanceTimersByTimeAsync(10_000);
    const late = (await settled).flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(read).toEqual(read.map((_, index) => index));
    expect(read.length + refused).toBe(40);
    expect(refused).toBe(late.length);
    expect(refused).toBeGreaterThan(15);
    expect(late[0]).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) });
  });
});

describe('what each has a lane for', () => {
  test('is done a few at a time, in order, and others go past', async () => {
    const lanes = new Lanes(2);
    const begun: string[] = [];
    const finish: (() => void)[] = [];
    const task = (owner: string, name: string) =>
      lanes.run(owner, () => {
        begun.push(name);
        return new Promise<void>((resolve) => finish.push(resolve));
      });
    const all = [...['a1', 'a2', 'a3', 'a4'].map((name) => task('alice', name)), task('bob', 'b1')];
    expect(begun).toEqual(['a1', 'a2', 'b1']);
    for (let index = 0; index < 5; index += 1) {
      finish[index]!();
      await all[[0, 1, 4, 2, 3][index]!];
    }
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'a4']);
  });

  test('goes on behind what fails', async () => {
    const lanes = new Lanes(1);
    const failing = lanes.run('alice', () => Promise.reject(new Error('no')));
    const next = lanes.run('alice', async () => 'done');
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('done');
  });
});
