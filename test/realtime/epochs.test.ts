import { describe, expect, test } from 'vitest';
import type { JournalEvent } from '../../src/realtime/event.ts';
import { Group } from '../../src/realtime/group.ts';
import { silent } from '../../src/realtime/meter.ts';
import { type Rendered, Renderings } from '../../src/realtime/renderings.ts';
import { Subscriber } from '../../src/realtime/subscriber.ts';
import { nextTurn, turnMs } from '../../src/realtime/turns.ts';
import { eventually } from '../support/eventually.ts';
import { Listener, Lives, turn } from './lives.ts';

/** The hub's own. */
const missingMs = 100;

/** One that takes its time. */
class SlowListener extends Listener {
  override write(rendered: Rendered): void {
    const until = performance.now() + 0.05;
    while (performance.now() < until);
    super.write(rendered);
  }
}

/** Renderings wait while `away` is pending. */
async function openLives() {
  const world = new Lives();
  await world.hub.start();
  const database = { away: null as Promise<void> | null };
  const render = (event: object): Rendered | Promise<Rendered> => {
    const { id, position } = event as JournalEvent;
    const rendered = { payload: id, position: String(position), bytes: {} };
    return database.away?.then(() => rendered) ?? rendered;
  };
  const renderings = new Renderings({ render, meter: silent });
  const newGroup = () => new Group({ hub: world.hub, meter: silent, renderings, emptied: () => {} });
  const follow = async (
    topics: string[],
    group: Group,
    sink = new Listener(),
    after: number | null = null,
  ) => {
    const source = { after, topics: async () => topics, wants: () => true };
    const subscriber = new Subscriber({ source, group, sink, closed: () => {} });
    return { sink, subscriber, isAccepted: await subscriber.start() };
  };
  const relay = (topic = 'a') => {
    world.relay(topic);
    world.control();
  };
  /** Answers how to bring the database back. */
  const leave = () => {
    let goOn = () => {};
    database.away = new Promise((resolve) => {
      goOn = resolve;
    });
    return () => {
      database.away = null;
      goOn();
    };
  };
  return { world, leave, newGroup, follow, relay };
}

describe('another epoch', () => {
  test('that begins while an event is being rendered lets nobody hear it, or miss one in its place', async () => {
    const { world, leave, newGroup, follow, relay } = await openLives();
    const { sink, subscriber } = await follow(['a'], newGroup());
    relay();
    relay();
    await eventually(() => expect(sink.payloads).toHaveLength(2));
    const back = leave();
    relay();
    relay();
    for (let index = 0; index < 5; index += 1) await turn();
    world.renew(2);
    // By then it stands among the live ones of the new epoch.
    for (let index = 0; index < 20; index += 1) await turn();
    back();
    for (let index = 0; index < 5; index += 1) await turn();
    for (let index = 0; index < 3; index += 1) relay();

    await eventually(() => expect(sink.payloads).toContain('2:5'));
    expect(sink.payloads).toEqual(['1:1', '1:2', '2:3', '2:4', '2:5']);
    subscriber.close();
    await world.hub.close();
  });

  test('that begins while one who catches up waits for an event lets it hear what comes instead', async () => {
    const { world, leave, newGroup, follow, relay } = await openLives();
    const back = leave();
    relay();
    const { sink, subscriber } = await follow(['a'], newGroup(), new Listener(), 0);
    for (let index = 0; index < 20; index += 1) await turn();
    world.renew(0);
    for (let index = 0; index < 20; index += 1) await turn();
    back();
    relay();
    relay();

    await eventually(() => expect(sink.payloads).toContain('2:2'));
    expect(sink.payloads).toEqual(['2:1', '2:2']);
    subscriber.close();
    await world.hub.close();
  });

  test('that begins below where the live ones stand together does not have the others begin there', async () => {
    const { world, leave, newGroup, follow, relay } = await openLives();
    const group = newGroup();
    const one = await follow(['a'], group);
    relay('a');
    await eventually(() => expect(one.sink.payloads).toEqual(['1:1']));
    for (let index = 0; index < 4; index += 1) relay('b');
    const further = await follow(['a'], group);
    for (let index = 0; index < 20; index += 1) await turn();
    expect(group.position).toBe(5);
    const back = leave();
    relay('a');
    for (let index = 0; index < 5; index += 1) await turn();
    world.renew(3);
    for (let index = 0; index < 20; index += 1) await turn();
    back();
    for (let index = 0; index < 3; index += 1) relay('a');

    await eventually(() => expect(one.sink.payloads).toContain('2:6'));
    expect(one.sink.payloads).toEqual(['1:1', '2:4', '2:5', '2:6']);
    expect(further.sink.ended).toBe('expired');
    one.subscriber.close();
    await world.hub.close();
  });

  test('that begins between two slices ends who has heard what is lost, and the others never do', async () => {
    const { world, newGroup, follow, relay } = await openLives();
    const group = newGroup();
    const joined = await Promise.all(
      Array.from({ length: 200 }, () => follow(['a'], group, new SlowListener())),
    );
    relay();
    await eventually(() => {
      for (const { sink } of joined) expect(sink.payloads).toEqual(['1:1']);
    });
    // They are live by then.
    for (let index = 0; index < 50; index += 1) await turn();
    // Others hold up each turn: the next slice is a while in coming.
    let isBusy = true;
    const hold = async () => {
      while (isBusy) {
        const until = performance.now() + 2 * turnMs;
        while (performance.now() < until);
        await nextTurn('live');
      }
    };
    const busy = Array.from({ length: 20 }, hold);
    relay();
    while (joined.every(({ sink }) => sink.payloads.length === 1)) await turn();
    world.renew(1);
    const ended = joined.filter(({ sink }) => sink.ended !== null);
    expect(ended.length).toBeGreaterThan(0);
    expect(ended.length).toBeLessThan(200);
    for (let index = 0; index < 20; index += 1) await turn();
    isBusy = false;
    await Promise.all(busy);
    relay();

    await eventually(() => {
      for (const { sink } of joined) {
        expect(sink.payloads).toEqual(sink.ended === null ? ['1:1', '2:2'] : ['1:1', '1:2']);
      }
    });
    for (const { subscriber } of joined) subscriber.close();
    await world.hub.close();
  });

  test('that begins while a subscription starts gives it a start of its own, and none to a position', async () => {
    const { world, newGroup, follow, relay } = await openLives();
    for (let index = 0; index < 3; index += 1) relay();
    const starting = follow(['a'], newGroup());
    const resuming = follow(['a'], newGroup(), new Listener(), 3);
    await turn();
    world.renew(1);
    for (let index = 0; index < 3; index += 1) world.relay('a');
    const { isAccepted, sink, subscriber } = await starting;
    expect(isAccepted).toBe(true);
    const { startedAt } = subscriber;
    world.control();
    relay();

    const expected = world.events.filter(({ position }) => position > startedAt).map(({ id }) => id);
    await eventually(() => expect(sink.payloads).toEqual(expected));
    expect((await resuming).isAccepted).toBe(false);
    subscriber.close();
    await world.hub.close();
  });

  test('that ends the last subscriber of several topics leaves none of them listened to', async () => {
    const { world, newGroup, follow, relay } = await openLives();
    const { sink } = await follow(['a', 'b'], newGroup());
    relay('a');
    await eventually(() => expect(sink.payloads).toEqual(['1:1']));
    world.renew(0);

    expect(sink.ended).toBe('expired');
    expect(world.hub.size).toBe(0);
    await world.hub.close();
  });

  test('is not taken to have come as far as was told of the one before', async () => {
    const { world, newGroup, follow } = await openLives();
    const { sink, subscriber } = await follow(['a', 'b'], newGroup());
    for (let index = 0; index < 20; index += 1) await turn();
    // What is missing is waited for when the epoch begins.
    world.relay('a');
    world.relay('a', { isLost: true });
    world.control();
    // Set behind the hub's own, and as long.
    const isWaitedFor = new Promise((resolve) => setTimeout(resolve, missingMs));
    world.renew(0);
    for (let index = 0; index < 20; index += 1) await turn();
    world.relay('b', { isLost: true });
    world.relay('a');
    await isWaitedFor;
    expect(world.hub.watermark).toBe(0);
    world.control();

    await eventually(() => expect(sink.payloads).toEqual(['2:1', '2:2']));
    subscriber.close();
    await world.hub.close();
  });
});
