import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Rate } from '../../src/config.ts';
import { Allowance } from '../../src/limits/allowance.ts';
import { usualPatience } from '../../src/limits/patience.ts';
import { Repeats } from '../../src/limits/repeats.ts';
import { createTally, type Reserved } from '../../src/limits/tally.ts';
import { Counter } from '../../src/redis/counter.ts';
import { eventually } from '../support/eventually.ts';
import { type OwnRedis, startRedis, startRedisCluster } from '../support/redis-server.ts';

let redis: OwnRedis;
let scopes = 0;
/** A busy machine is no Redis that is away. */
const patientMs = 30_000;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** What each of several nodes counts with. */
async function nodes(count: number, url: string | null = redis.url, answerMs = patientMs) {
  scopes += 1;
  const scope = `test-${scopes}`;
  const counters = Array.from(
    { length: url === null ? 0 : count },
    () => new Counter(url!.split(','), answerMs, () => {}),
  );
  onTestFinished(() => {
    for (const counter of counters) counter.close();
  });
  await eventually(() => expect(counters.every(({ client }) => client.status === 'ready')).toBe(true));
  return Array.from({ length: count }, (_, index) => ({
    counter: counters[index] ?? null,
    scope: () => scope,
  }));
}

async function allowances(
  count: number,
  rate: Rate,
  url?: string | null,
  answerMs?: number,
): Promise<Allowance[]> {
  return (await nodes(count, url, answerMs)).map(
    (node) => new Allowance({ rate, tally: createTally({ name: 'tests', rate, ...node }) }),
  );
}

/** How many of so many askings, in turns at each of the nodes and all at once, are allowed. */
async function allowed(from: readonly Allowance[], askings: number, key = 'ada'): Promise<number> {
  const asked = Array.from({ length: askings }, (_, index) => from[index % from.length]!.take(key));
  return (await Promise.all(asked)).filter((refusedMs) => refusedMs === null).length;
}

const minute = 60_000;

describe.each([
  ['one node', 1, null],
  ['one node with Redis', 1, undefined],
  ['three nodes with Redis', 3, undefined],
] as const)('what %s allow', (_, count, url) => {
  test('is as much as the rate says, however much is asked at once', async () => {
    expect(await allowed(await allowances(count, { count: 5, perMs: minute }, url), 40)).toBe(5);
  });

  test('is for each key its own', async () => {
    const from = await allowances(count, { count: 2, perMs: minute }, url);
    expect(await allowed(from, 6, 'ada')).toBe(2);
    expect(await allowed(from, 6, 'bob')).toBe(2);
  });

  test('is allowed again once the time is over, of which the refusal tells', async () => {
    const from = await allowances(count, { count: 1, perMs: 400 }, url);
    expect(await allowed(from, 3)).toBe(1);
    const refusedMs = await from[0]!.take('ada');
    expect(refusedMs).toBeGreaterThan(0);
    expect(refusedMs).toBeLessThanOrEqual(400);
    await eventually(async () => expect(await from[0]!.take('ada')).toBe(null), 2_000);
  });
});

describe('what one node allows', () => {
  test('is not less for what was given back while the others were asked', async () => {
    let answer = (_: Reserved) => {};
    const reserve = () => new Promise<Reserved>((resolve) => (answer = resolve));
    const allowance = new Allowance({ rate: { count: 3, perMs: minute }, tally: { reserve } });
    const first = allowance.take('ada');
    answer({ granted: 1, endsInMs: minute });
    await first;
    const second = allowance.take('ada');
    allowance.giveBack('ada');
    answer({ granted: 1, endsInMs: minute });
    await second;
    const third = allowance.take('ada');
    answer({ granted: 0, endsInMs: minute });

    expect(await third).toBe(null);
  });

  test('is refused for no longer than the rate says, also where the clock of who counts was set back', async () => {
    const hour = 60 * minute;
    const reserve = async () => ({ granted: 0, endsInMs: hour });
    const allowance = new Allowance({ rate: { count: 1, perMs: minute }, tally: { reserve } });

    expect(await allowance.take('ada')).toBeLessThanOrEqual(minute);
  });

  test('is answered in the order of asking', async () => {
    const [one] = await allowances(1, { count: 100, perMs: minute });
    const answered: number[] = [];
    const ask = async (index: number) => {
      await one!.take('ada');
      answered.push(index);
    };
    const indexes = Array.from({ length: 60 }, (_, index) => index);
    for (const index of indexes.slice(0, 30)) void ask(index);
    await eventually(() => expect(answered.length).toBeGreaterThan(0));
    await Promise.all(indexes.slice(30).map(ask));
    await eventually(() => expect(answered).toEqual(indexes));
  });

  test('can be given back', async () => {
    const [one] = await allowances(1, { count: 1, perMs: minute });
    expect(await one!.take('ada')).toBe(null);
    one!.giveBack('ada');
    expect(await one!.take('ada')).toBe(null);
    expect(await one!.take('ada')).not.toBe(null);
  });

  test('is half of the rate at the least when it is asked last, however many others hold some', async () => {
    const from = await allowances(40, { count: 600, perMs: minute });
    expect(await allowed(from, 600)).toBeGreaterThanOrEqual(300);
  });
});

describe('a Redis', () => {
  test('that is a cluster counts for all nodes', async () => {
    const cluster = await startRedisCluster();
    onTestFinished(() => cluster.stop());
    const from = await allowances(2, { count: 5, perMs: minute }, cluster.url);
    for (const key of ['ada', 'bob', 'eve', 'mallory']) expect(await allowed(from, 20, key)).toBe(5);
  });

  test('that was killed is stood in for by each node alone, and counts again when it is back', async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    const from = await allowances(2, { count: 5, perMs: minute }, own.url);
    expect(await allowed(from, 20, 'before')).toBe(5);
    await own.kill();
    await eventually(async () => {
      // Each node has its own five.
      expect(await allowed(from, 20, `away ${performance.now()}`)).toBe(10);
    });
    await own.restart();
    await eventually(async () => expect(await allowed(from, 20, `back ${performance.now()}`)).toBe(5));
  });

  test('that answers no more holds nobody up for long', async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    const { countMs } = usualPatience;
    const [one] = await allowances(1, { count: 5, perMs: minute }, own.url, countMs);
    expect(await one!.take('before')).toBe(null);
    own.freeze();
    const startedAt = performance.now();
    for (let index = 0; index < 200; index += 1) expect(await one!.take(`frozen ${index}`)).toBe(null);
    // It is asked once, and then again after a second: the first asking of two hundred waits.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    own.thaw();
  });
});

describe('a body that is said again and again', () => {
  const hello = (channel = 'general', clientId?: string) => ({ channel, body: 'hello', clientId });

  /** How often it may be said. */
  async function heard(repeats: readonly Repeats[], times: number, saying = hello): Promise<number> {
    let count = 0;
    for (let index = 0; index < times; index += 1) {
      const answer = await repeats[index % repeats.length]!.say('ada', saying());
      if (typeof answer === 'function') count += 1;
    }
    return count;
  }

  test('is spam the fifth time, at one node and at several', async () => {
    expect(await heard([new Repeats((await nodes(1, null))[0]!)], 9)).toBe(4);
    expect(
      await heard(
        (await nodes(2)).map((node) => new Repeats(node)),
        9,
      ),
    ).toBe(4);
  });

  test('is not spam in different channels, nor when it is sent again as the same message', async () => {
    const [one] = (await nodes(1)).map((node) => new Repeats(node));
    let channels = 0;
    expect(await heard([one!], 9, () => hello(`channel ${channels++}`))).toBe(9);
    expect(await heard([one!], 9, () => hello('general', 'mine'))).toBe(9);
    expect(await heard([one!], 9, () => hello('general'))).toBe(3);
  });

  test('is counted as often as it was sent', async () => {
    const [one, other] = (await nodes(2)).map((node) => new Repeats(node));
    for (let index = 0; index < 9; index += 1) {
      const takeBack = await one!.say('ada', hello());
      (takeBack as () => void)();
    }
    expect(await heard([one!, other!], 9)).toBe(4);
  });
});
