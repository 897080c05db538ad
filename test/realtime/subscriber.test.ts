import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JournalEvent } from '../../src/realtime/event.ts';
import { partNamed, readName } from '../../src/realtime/facet.ts';
import { Group } from '../../src/realtime/group.ts';
import { silent } from '../../src/realtime/meter.ts';
import { type Rendered, Renderings } from '../../src/realtime/renderings.ts';
import { Subscriber } from '../../src/realtime/subscriber.ts';
import { TestSink, World } from '../support/world.ts';
import { Listener, Lives, thirdOf, turn } from './lives.ts';

const topics = ['a', 'b', 'c'];

/** One that takes its time. */
class SlowSink extends TestSink {
  constructor() {
    super(Number.POSITIVE_INFINITY);
  }

  override write(rendered: Rendered): void {
    const until = performance.now() + 0.05;
    while (performance.now() < until);
    super.write(rendered);
  }
}

const renderedOf = (position: number): Rendered => ({ payload: '', position: String(position), bytes: {} });

function groupOf({ hub }: World | Lives, render: (event: object) => Rendered | Promise<Rendered>): Group {
  const renderings = new Renderings({ render, meter: silent });
  return new Group({ hub, meter: silent, renderings, emptied: () => {} });
}

const isIn = (event: JournalEvent, name: string) => {
  const { topic, facet } = readName(name);
  return event.topic === topic && (facet === null || thirdOf(event).includes(facet.value));
};

const turns = async (count: number) => {
  for (let index = 0; index < count; index += 1) await turn();
};

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('relay'),
        topic: fc.constantFrom(...topics),
        lost: fc.boolean(),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('control'), lost: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('drain') }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('join'),
        capacity: fc.integer({ min: 1, max: 8 }),
        back: fc.nat(20),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('turn'), count: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('renew'), back: fc.nat(8) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('move'),
        capacity: fc.integer({ min: 1, max: 8 }),
        back: fc.nat(1),
      }),
    },
  ),
  { minLength: 5, maxLength: 120 },
) as fc.Arbitrary<
  { do: string; topic: string; lost: boolean; capacity: number; back: number; count: number }[]
>;

describe('subscribers of one group', () => {
  test.each([
    ['one topic', ['a']],
    ['several topics', ['a', 'c']],
    ['a part of a topic', [partNamed('a', { name: 'third', value: '1' })]],
    [
      'parts of several topics',
      ['a', 'c'].flatMap((topic) => ['0', '2'].map((value) => partNamed(topic, { name: 'third', value }))),
    ],
  ])('of %s each hold a gap-free run in order, whatever is lost, slow or late', async (_name, followed) => {
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), fc.boolean(), async (script, isAsync, isRenewed) => {
        const world = new Lives({ missingMs: 2, silenceMs: 50, pollMs: 10, listenMs: 5 });
        await world.hub.start();
        const render = (event: object) => {
          const { position, id } = event as JournalEvent;
          const rendered = { ...renderedOf(position), payload: id };
          return isAsync && position % 4 > 0 ? turns(position % 4).then(() => rendered) : rendered;
        };
        const groups = [groupOf(world, render), groupOf(world, render)];
        const joined: { sink: Listener; subscriber: Subscriber; from: number }[] = [];
        const refused = new Set<Subscriber>();
        for (const step of script) {
          if (step.do === 'relay') world.relay(step.topic, { isLost: step.lost });
          if (step.do === 'control') world.control(step.lost);
          if (step.do === 'drain') for (const { sink } of joined) sink.drain();
          if (step.do === 'turn') await turns(step.count);
          if (step.do === 'renew' && isRenewed) world.renew(Math.max(0, world.head - step.back));
          if (step.do === 'move') {
            for (const { subscriber } of joined.slice(-step.capacity))
              subscriber.move(groups[step.back % 2]!);
          }
          if (step.do === 'join') {
            const sink = new Listener(step.capacity);
            const from = Math.max(0, world.head - step.back);
            const source = { after: from, topics: async () => followed, wants: () => true };
            const subscriber = new Subscriber({ source, group: groups[0]!, sink, closed: () => {} });
            void subscriber.start().then((isAccepted) => isAccepted || refused.add(subscriber));
            joined.push({ sink, subscriber, from });
          }
        }
        // The end: the relay's next message gets through, and everybody reads.
        for (let index = 0; index < 2; index += 1) {
          world.relay('a');
          world.control();
        }
        const run = (events: readonly JournalEvent[], from: number) =>
          events
            .filter((event) => event.position > from && followed.some((name) => isIn(event, name)))
            .map(({ id }) => id);
        const going = () =>
          joined.filter(({ sink, subscriber }) => sink.ended === null && !refused.has(subscriber));
        const expected = ({ from }: { from: number }) => run(world.events, from);
        const deadline = performance.now() + 3_000;
        while (performance.now() < deadline) {
          if (going().every((one) => one.sink.payloads.length >= expected(one).length)) break;
          for (const { sink } of joined) sink.drain();
          await turn();
        }
        await turn();
        for (const one of going()) expect(one.sink.payloads).toEqual(expected(one));
        // Who was ended or refused because of another epoch had a run of the one it was in, as far as it came.
        for (const { sink, from } of joined) {
          const [life] = sink.payloads.at(-1)?.split(':') ?? [];
          const events = world.past.get(Number(life)) ?? world.events;
          expect(sink.payloads).toEqual(run(events, from).slice(0, sink.payloads.length));
        }
        if (!isRenewed) expect(going()).toHaveLength(joined.length);
        for (const { subscriber } of joined) subscriber.close();
        expect({ subscribers: groups[0]!.size + groups[1]!.size, topics: world.hub.size }).toEqual({
          subscribers: 0,
          topics: 0,
        });
        await world.hub.close();
      }),
      { numRuns: 1_000 },
    );
  });

  test('are gone from it when they are ended in the moment that their connection is full', async () => {
    const world = new Lives();
    await world.hub.start();
    const group = groupOf(world, (event) => renderedOf((event as JournalEvent).position));
    const sink = new Listener(1);
    const revokes = ({ control }: JournalEvent) => control;
    const source = { after: null, topics: async () => ['a'], wants: () => true, revokes };
    const subscriber = new Subscriber({ source, group, sink, closed: () => {} });
    await subscriber.start();
    world.relay('b');
    world.control();
    await turns(10);
    // By another subscription of the same connection.
    sink.write(renderedOf(1));
    world.relay('a', { control: true });
    world.control();
    await turns(10);

    expect(sink.ended).toBe('revoked');
    expect(group.size).toBe(0);
    await world.hub.close();
  });

  test('of a last event that the bus lost hear it within the silence, without any further event', async () => {
    const world = new World();
    await world.hub.start();
    const group = groupOf(world, (event) => renderedOf((event as JournalEvent).position));
    const sink = new TestSink(10);
    const source = { after: null, topics: async () => ['a'], wants: () => true };
    const subscriber = new Subscriber({ source, group, sink, closed: () => {} });
    await subscriber.start();
    world.control(false);
    for (let index = 0; index < 10; index += 1) await turn();
    world.relay('a', true);
    const startedAt = performance.now();
    while (sink.heard.length === 0 && performance.now() - startedAt < 5_000) await turn();

    expect(sink.heard).toEqual([1]);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    subscriber.close();
    await world.hub.close();
  });

  test('are told in slices when they are many, and who comes or goes between two misses nothing', async () => {
    const world = new World();
    await world.hub.start();
    const group = groupOf(world, (event) => renderedOf((event as JournalEvent).position));
    const joined: { sink: SlowSink; subscriber: Subscriber; from: number }[] = [];
    const join = async (from: number) => {
      const sink = new SlowSink();
      const source = { after: from, topics: async () => ['a'], wants: () => true };
      const subscriber = new Subscriber({ source, group, sink, closed: () => {} });
      joined.push({ sink, subscriber, from });
      await subscriber.start();
    };
    await Promise.all(Array.from({ length: 200 }, () => join(0)));
    await turn();
    for (let round = 1; round <= 5; round += 1) {
      for (let index = 0; index < 3; index += 1) world.relay('a', false);
      world.control(false);
      await turn();
      // Some have heard of it and some have not: it did not happen in one turn.
      const heard = new Set(joined.map(({ sink }) => sink.heard.length));
      expect(heard.size).toBeGreaterThan(1);
      joined[round]!.subscriber.close();
      joined[200 - round]!.subscriber.close();
      await join(world.events.length - round);
    }
    const open = joined.filter((_, index) => !((index >= 1 && index <= 5) || (index >= 195 && index < 200)));
    const expected = (from: number) => Array.from({ length: 15 - from }, (_, index) => from + index + 1);
    while (open.some(({ sink, from }) => sink.heard.length < 15 - from)) await turn();
    await turn();

    for (const { sink, from } of open) expect(sink.heard).toEqual(expected(from));
    for (const { subscriber } of joined) subscriber.close();
    expect(group.size).toBe(0);
    await world.hub.close();
  });

  test('are told in slices also when each is a group of its own, and each misses nothing', async () => {
    const world = new World();
    await world.hub.start();
    const joined = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const group = groupOf(world, (event) => renderedOf((event as JournalEvent).position));
        const sink = new SlowSink();
        const source = { after: 0, topics: async () => ['a'], wants: () => true };
        const subscriber = new Subscriber({ source, group, sink, closed: () => {} });
        await subscriber.start();
        return { sink, subscriber };
      }),
    );
    for (let index = 0; index < 10; index += 1) await turn();
    for (let round = 1; round <= 5; round += 1) {
      for (let index = 0; index < 3; index += 1) world.relay('a', false);
      world.control(false);
      await turn();
      const heard = new Set(joined.map(({ sink }) => sink.heard.length));
      expect(heard.size).toBeGreaterThan(1);
    }
    while (joined.some(({ sink }) => sink.heard.length < 15)) await turn();
    await turn();

    const expected = Array.from({ length: 15 }, (_, index) => index + 1);
    for (const { sink } of joined) expect(sink.heard).toEqual(expected);
    for (const { subscriber } of joined) subscriber.close();
    await world.hub.close();
  });

  test('are given a page in slices when many come back at once', async () => {
    const world = new World();
    await world.hub.start();
    const group = groupOf(world, (event) => renderedOf((event as JournalEvent).position));
    for (let index = 0; index < 3; index += 1) world.relay('a', false);
    world.control(false);
    const joined = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const sink = new SlowSink();
        const source = { after: 0, topics: async () => ['a'], wants: () => true };
        const subscriber = new Subscriber({ source, group, sink, closed: () => {} });
        await subscriber.start();
        return { sink, subscriber };
      }),
    );
    while (joined.every(({ sink }) => sink.heard.length === 0)) await turn();
    expect(joined.some(({ sink }) => sink.heard.length === 0)).toBe(true);
    while (joined.some(({ sink }) => sink.heard.length < 3)) await turn();

    for (const { sink } of joined) expect(sink.heard).toEqual([1, 2, 3]);
    for (const { subscriber } of joined) subscriber.close();
    await world.hub.close();
  });

  test('share one execution, and are one group again after 100 resumes from 100 positions', async () => {
    const world = new World();
    await world.hub.start();
    let executions = 0;
    const group = groupOf(world, (event) => {
      executions += 1;
      return renderedOf((event as JournalEvent).position);
    });
    for (let index = 0; index < 100; index += 1) world.relay('a', false);
    world.control(false);
    const sinks = await Promise.all(
      Array.from({ length: 100 }, async (_, from) => {
        const sink = new TestSink(1_000);
        const source = { after: from, topics: async () => ['a'], wants: () => true };
        await new Subscriber({ source, group, sink, closed: () => {} }).start();
        return { sink, from };
      }),
    );
    while (sinks.some(({ sink, from }) => sink.heard.length < 100 - from)) await turn();
    executions = 0;
    world.relay('a', false);
    world.control(false);
    while (sinks.some(({ sink }) => sink.heard.at(-1) !== 101)) await turn();

    expect(executions).toBe(1);
    await world.hub.close();
  });
});
