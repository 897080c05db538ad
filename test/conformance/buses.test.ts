import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Bus, type BusMessage, MemoryBus } from '../../src/realtime/bus.ts';
import { RedisBus } from '../../src/redis/bus.ts';
import { eventually } from '../support/eventually.ts';
import {
  moveSlot,
  type OwnRedis,
  type OwnRedisCluster,
  startRedis,
  startRedisCluster,
  startSentinel,
  talk,
} from '../support/redis-server.ts';

const hint = (released: boolean): BusMessage => ({ released });
const control = (to: number): BusMessage => ({ from: 0, to, topics: { a: to } });

let redis: OwnRedis;
let cluster: OwnRedisCluster;
beforeAll(async () => {
  [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
});
afterAll(async () => void (await Promise.all([redis.stop(), cluster.stop()])));

const counts = new Map<Bus, { back: number }>();

async function openRedis(urls: readonly string[]): Promise<Bus> {
  const count = { back: 0 };
  const bus = new RedisBus({
    urls,
    origin: Math.random().toString(36),
    failed: () => {},
  });
  bus.onBack(() => {
    count.back += 1;
  });
  counts.set(bus, count);
  onTestFinished(() => bus.close());
  await eventually(() => expect(bus.isConnected).toBe(true));
  return bus;
}

/** Two nodes' buses; within one process it is one. */
const kinds = {
  memory: async () => {
    const bus = new MemoryBus();
    return [bus, bus];
  },
  Redis: () => Promise.all([openRedis([redis.url]), openRedis([redis.url])]),
  'a Redis Cluster': () => {
    const urls = cluster.url.split(',');
    return Promise.all([openRedis(urls), openRedis(urls)]);
  },
} satisfies Record<string, () => Promise<Bus[]>>;

describe.each(Object.entries(kinds))('the bus over %s', (_name, open) => {
  let one: Bus;
  let other: Bus;
  beforeEach(async () => {
    [one, other] = (await open()) as [Bus, Bus];
  });

  test('tells what is published once listening is true, in order, to everyone who listens', async () => {
    const heard: BusMessage[][] = [[], [], []];
    const listenings = [
      one.listen('t:a', (message) => heard[0]!.push(message)),
      other.listen('t:a', (message) => heard[1]!.push(message)),
      other.listen('t:a', (message) => heard[2]!.push(message)),
    ];
    await Promise.all(listenings.map(({ listening }) => listening));
    const sent = Array.from({ length: 500 }, (_, index) => control(index));
    for (const message of sent) one.publish('t:a', message);

    await eventually(() => expect(heard).toEqual([sent, sent, sent]));
  });

  test('tells nothing of other topics, and nothing after the listening was stopped', async () => {
    const heard: BusMessage[] = [];
    const stopped = other.listen('t:b', (message) => heard.push(message));
    const going = other.listen('t:c', (message) => heard.push(message));
    await Promise.all([stopped.listening, going.listening]);
    stopped.stop();
    one.publish('t:b', hint(true));
    one.publish('t:d', hint(true));
    one.publish('t:c', hint(false));

    await eventually(() => expect(heard).toContainEqual(hint(false)));
    expect(heard).toEqual([hint(false)]);
  });

  test('keeps telling one listener when another of the same topic stops or fails', async () => {
    const heard: BusMessage[] = [];
    const stopped = other.listen('t:e', () => {});
    const failing = other.listen('t:e', (message) => {
      if (other !== one) throw new Error(`cannot take ${JSON.stringify(message)}`);
    });
    const going = other.listen('t:e', (message) => heard.push(message));
    await Promise.all([stopped.listening, failing.listening, going.listening]);
    stopped.stop();
    one.publish('t:e', hint(false));

    await eventually(() => expect(heard).toEqual([hint(false)]));
  });

  test('hears again after 200 quick stops and starts', async () => {
    const heard: BusMessage[] = [];
    let last = other.listen('t:f', (message) => heard.push(message));
    for (let round = 0; round < 200; round += 1) {
      if (round % 3 === 0) await last.listening;
      last.stop();
      last = other.listen('t:f', (message) => heard.push(message));
    }
    await last.listening;
    one.publish('t:f', hint(true));

    await eventually(() => expect(heard).toEqual([hint(true)]));
  });

  test('leaves nothing behind in whoever carries it', async () => {
    const topics = Array.from({ length: 50 }, (_, index) => `t:many ${index}`);
    const listenings = topics.map((topic) => other.listen(topic, () => {}));
    await Promise.all(listenings.map(({ listening }) => listening));
    for (const { stop } of listenings) stop();

    await eventually(async () => {
      for (const { port } of [redis, ...cluster.masters]) {
        expect(await talk(port, 'PUBSUB CHANNELS t:many*')).toBe('*0\r\n');
        expect(await talk(port, 'PUBSUB SHARDCHANNELS t:many*')).toBe('*0\r\n');
      }
    });
  });
});

/** Publishes until it is heard: what a bus loses meanwhile it may lose. */
async function heardAgain(one: Bus, topic: string, heard: BusMessage[]): Promise<void> {
  const before = heard.length;
  await eventually(() => {
    one.publish(topic, hint(true));
    expect(heard.length).toBeGreaterThan(before);
  });
}

describe('the bus over Redis', () => {
  test.each(['kill', 'freeze'] as const)(
    'is back by itself after a %s, with every topic',
    async (trouble) => {
      const [one, other] = (await kinds.Redis()) as [Bus, Bus];
      const heard: BusMessage[][] = [[], []];
      const before = other.listen('t:before', (message) => heard[0]!.push(message));
      await before.listening;
      const backs = counts.get(other)!.back;
      if (trouble === 'kill') await redis.kill();
      else redis.freeze();
      await eventually(() => expect([one.isConnected, other.isConnected]).toEqual([false, false]));
      one.publish('t:before', hint(false));
      const meanwhile = other.listen('t:meanwhile', (message) => heard[1]!.push(message));
      other.listen('t:gone', () => expect.unreachable()).stop();
      if (trouble === 'kill') await redis.restart();
      else redis.thaw();

      await meanwhile.listening;
      await eventually(() => expect([one.isConnected, other.isConnected]).toEqual([true, true]));
      if (trouble === 'kill') expect(counts.get(other)!.back).toBe(backs + 1);
      await heardAgain(one, 't:before', heard[0]!);
      await heardAgain(one, 't:meanwhile', heard[1]!);
      expect(await talk(redis.port, 'PUBSUB NUMSUB t:gone')).toContain(':0');
    },
  );

  test('waits for a Redis that is not there yet', async () => {
    const late = await startRedis();
    onTestFinished(() => late.stop());
    await late.kill();
    const heard: BusMessage[] = [];
    const open = () =>
      new RedisBus({
        urls: [late.url],
        origin: Math.random().toString(36),
        failed: () => {},
      });
    const [one, other] = [open(), open()];
    onTestFinished(() => one.close());
    onTestFinished(() => other.close());
    const { listening } = other.listen('t:a', (message) => heard.push(message));
    await late.restart();

    await listening;
    await heardAgain(one, 't:a', heard);
  });

  test('finds the server that a sentinel names', async () => {
    const sentinel = await startSentinel(redis);
    onTestFinished(() => sentinel.stop());
    const [one, other] = [await openRedis([sentinel.url]), await openRedis([redis.url])];
    const heard: BusMessage[] = [];
    await other.listen('t:a', (message) => heard.push(message)).listening;
    await heardAgain(one, 't:a', heard);
  });

  test('signs in with the password of the address, also where characters are escaped', async () => {
    const guarded = await startRedis({ requirepass: 'pass/word:1' });
    onTestFinished(() => guarded.stop());
    const url = `redis://:${encodeURIComponent('pass/word:1')}@127.0.0.1:${guarded.port}`;
    const [one, other] = [await openRedis([url]), await openRedis([url])];
    const heard: BusMessage[] = [];
    await other.listen('t:a', (message) => heard.push(message)).listening;
    await heardAgain(one, 't:a', heard);
  });
});

describe('the bus over a Redis Cluster', () => {
  test.each(['kill', 'freeze'] as const)(
    'carries what it can after a %s of one master, and everything when it is back',
    async (trouble) => {
      const [one, other] = (await kinds['a Redis Cluster']()) as [Bus, Bus];
      const topics = Array.from({ length: 30 }, (_, index) => `t:topic ${index}`);
      const heard = topics.map((): BusMessage[] => []);
      const listenings = topics.map((topic, index) =>
        other.listen(topic, (message) => heard[index]!.push(message)),
      );
      await Promise.all(listenings.map(({ listening }) => listening));
      if (trouble === 'kill') await cluster.masters[1]!.kill();
      else cluster.masters[1]!.freeze();
      await eventually(() => expect(other.isConnected).toBe(false));
      const during = heard.map(({ length }) => length);
      await eventually(() => {
        for (const topic of topics) one.publish(topic, hint(false));
        const reached = heard.filter(({ length }, index) => length > during[index]!).length;
        expect(reached).toBeGreaterThan(topics.length / 3);
      });
      if (trouble === 'kill') await cluster.masters[1]!.restart();
      else cluster.masters[1]!.thaw();

      await eventually(() => expect([one.isConnected, other.isConnected]).toEqual([true, true]));
      await Promise.all(topics.map((topic, index) => heardAgain(one, topic, heard[index]!)));
    },
  );

  test('follows the slot of a topic from master to master and back', async () => {
    const [one, other] = (await kinds['a Redis Cluster']()) as [Bus, Bus];
    const heard: BusMessage[] = [];
    await other.listen('t:moving', (message) => heard.push(message)).listening;
    const slot = Number((await talk(cluster.masters[0]!.port, 'CLUSTER KEYSLOT t:moving')).slice(1));
    for (const master of [...cluster.masters, ...cluster.masters]) {
      await moveSlot(cluster, slot, master);
      await heardAgain(one, 't:moving', heard);
    }
    const listeners = cluster.masters.map(({ port }) => talk(port, 'PUBSUB SHARDNUMSUB t:moving'));
    expect((await Promise.all(listeners)).filter((answer) => answer.includes(':1'))).toHaveLength(1);
  });
});
