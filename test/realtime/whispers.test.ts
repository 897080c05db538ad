import { describe, expect, onTestFinished, test } from 'vitest';
import type { JournalEvent, Whisper } from '../../src/realtime/event.ts';
import { Group } from '../../src/realtime/group.ts';
import { silent } from '../../src/realtime/meter.ts';
import { Renderings } from '../../src/realtime/renderings.ts';
import { Subscriber } from '../../src/realtime/subscriber.ts';
import { eventually } from '../support/eventually.ts';
import { Listener, Lives, turn } from './lives.ts';

type Pending = Promise<void> | null;

/** A viewer who follows the channel `c` for as long as they are a member, and `u`, in subscriptions of one group. */
async function openChannel() {
  const world = new Lives();
  await world.hub.start();
  onTestFinished(() => world.hub.close());
  const database = { isMember: true, rendering: null as Pending, topics: null as Pending };
  const render = (said: JournalEvent | Whisper) => {
    const rendered = { payload: said.id, position: null, bytes: {} };
    return database.rendering?.then(() => rendered) ?? rendered;
  };
  const renderings = new Renderings({ render, meter: silent });
  const group = new Group({ hub: world.hub, meter: silent, renderings, emptied: () => {} });
  const source = {
    ...{ wants: () => true, hears: () => true, turns: ({ control }: JournalEvent) => control },
    topics: async () => {
      const topics = database.isMember ? ['c', 'u'] : ['u'];
      await database.topics;
      return topics;
    },
  };
  const follow = async (capacity?: number, after: number | null = null) => {
    const sink = new Listener(capacity);
    const subscriber = new Subscriber({ source: { ...source, after }, group, sink, closed: () => {} });
    onTestFinished(() => subscriber.close());
    await subscriber.start();
    return sink;
  };
  const settle = async () => {
    for (let index = 0; index < 20; index += 1) await turn();
  };
  const relay = async (topic: string, control = false) => {
    world.relay(topic, { control });
    world.control();
    await settle();
  };
  /** Answers how to have it go on. */
  const holdUp = (what: 'rendering' | 'topics') => {
    let goOn = () => {};
    database[what] = new Promise((resolve) => {
      goOn = resolve;
    });
    return async () => {
      database[what] = null;
      goOn();
      await settle();
    };
  };
  const remove = async () => {
    database.isMember = false;
    await relay('c', true);
  };
  const whisper = async (topic: string, id: string) => {
    world.whisper(topic, id);
    await settle();
  };
  return { world, follow, relay, holdUp, remove, whisper, settle };
}

describe('what is told in passing in a channel', () => {
  test('is kept for a full connection, and dropped when its viewer is removed meanwhile', async () => {
    const { follow, relay, remove, whisper, settle } = await openChannel();
    const sink = await follow(1);
    await settle();
    await relay('u');
    await relay('u');
    await whisper('c', 'before');
    await remove();
    await whisper('c', 'after');
    while (!sink.payloads.includes('1:2')) {
      sink.drain();
      await settle();
    }
    sink.drain();
    await whisper('u', 'still followed');

    expect(sink.payloads).toEqual(['1:1', '1:2', 'still followed']);
  });

  test('and was kept for a full connection is dropped when the removal is met', async () => {
    const { follow, remove, whisper, settle } = await openChannel();
    const sink = await follow(1);
    await settle();
    await whisper('c', 'written');
    await whisper('c', 'kept');
    await remove();
    sink.drain();
    await whisper('u', 'still followed');

    expect(sink.payloads).toEqual(['written', '1:1', 'still followed']);
  });

  test('does not reach who was removed while what they are to be sent first cannot be made', async () => {
    const { follow, relay, holdUp, remove, whisper, settle } = await openChannel();
    const sink = await follow();
    await settle();
    await whisper('c', 'before');
    const goOn = holdUp('rendering');
    await relay('u');
    await whisper('c', 'pending');
    await remove();
    await goOn();

    expect(sink.payloads).toEqual(['before', '1:1', '1:2']);
  });

  test('does not reach a removed viewer while the topics that are left are asked for', async () => {
    const { follow, holdUp, remove, whisper, settle } = await openChannel();
    const sink = await follow();
    await settle();
    const goOn = holdUp('topics');
    await remove();
    await whisper('c', 'meanwhile');
    await goOn();
    await whisper('u', 'still followed');

    expect(sink.payloads).toEqual(['1:1', 'still followed']);
  });

  test('is not overtaken by what was told after it and is made sooner', async () => {
    const { follow, holdUp, whisper, settle } = await openChannel();
    const sink = await follow();
    await settle();
    const makeFirst = holdUp('rendering');
    await whisper('c', 'first');
    const makeSecond = holdUp('rendering');
    await whisper('u', 'second');
    await makeSecond();
    await makeFirst();

    expect(sink.payloads).toEqual(['first', 'second']);
  });

  test('does not come by another subscription of the viewer that still has it', async () => {
    const { follow, relay, remove, whisper, settle } = await openChannel();
    const sink = await follow();
    const full = await follow(1);
    await settle();
    await relay('u');
    await remove();
    // The other is still attached to the channel.
    await whisper('c', 'after');

    expect(full.payloads).toEqual(['1:1']);
    expect(sink.payloads).toEqual(['1:1', '1:2']);
  });
});

describe('what was sent in a channel before a removal, and could not be shown in time, is not shown after', () => {
  test('to who is live', async () => {
    const { world, follow, relay, holdUp, remove, settle } = await openChannel();
    const sink = await follow();
    await settle();
    const goOn = holdUp('rendering');
    await relay('c');
    await remove();
    await eventually(() => expect(world.hub.size).toBe(1));
    await goOn();
    await relay('u');

    expect(sink.payloads).toEqual(['1:3']);
  });

  test('to who catches up', async () => {
    const { follow, relay, holdUp, remove, settle } = await openChannel();
    const goOn = holdUp('rendering');
    await relay('c');
    const sink = await follow(undefined, 0);
    await settle();
    await remove();
    await goOn();
    await relay('u');

    expect(sink.payloads).toEqual(['1:3']);
  });
});
