import { expect, test } from 'vitest';
import { addressOf, controlTopic, MemoryBus } from '../../src/realtime/bus.ts';
import type { JournalEvent } from '../../src/realtime/event.ts';
import { Hub } from '../../src/realtime/hub.ts';
import type { Journal } from '../../src/realtime/journal.ts';
import type { Watcher } from '../../src/realtime/watcher.ts';
import { eventually } from '../support/eventually.ts';

const epoch = 'one';

function revocation(position: number, prev: number): JournalEvent {
  return {
    ...{ position, prev, topic: 'nodes', id: String(position), kind: 'access', type: 'user.blocked' },
    ...{ recipientId: null, subject: null, erases: false, control: true, payload: {}, writtenAt: 0 },
  };
}

test.each([
  ['nothing', []],
  ['the first', [3]],
  ['the last', [5]],
  ['both', [3, 5]],
])(
  'a node is told of two revocations of one stretch before its watermark passes them, when the bus loses %s',
  async (_what, lost) => {
    const bus = new MemoryBus();
    const stored: JournalEvent[] = [];
    let head = 2;
    const journal: Journal = {
      epoch,
      now: async () => ({ head, pending: new Set(), at: 0 }),
      read: async () => ({ events: [], upTo: head, floor: 0 }),
      stretch: async (after) => ({
        events: stored.filter(({ position }) => position > after),
        upTo: head,
        floor: 0,
      }),
    };
    const hub = new Hub({ bus, journal, failed: (error) => expect(error).toBeNull() });
    await hub.start();
    const told = new Map<number, number>();
    let isOpen = false;
    const watcher: Watcher = {
      arrived: ({ position }) => void (told.has(position) || told.set(position, hub.watermark)),
      advanced: () => {
        isOpen = true;
      },
      whispered() {},
      renewed() {},
    };
    hub.attach(['nodes'], watcher);
    await eventually(() => expect(isOpen).toBe(true));

    head = 5;
    stored.push(revocation(3, 0), revocation(5, 3));
    for (const event of stored) {
      if (!(lost as number[]).includes(event.position)) bus.publish(addressOf(epoch, 'nodes'), event);
    }
    bus.publish(addressOf(epoch, controlTopic), { from: 2, to: 5, topics: { nodes: 5 } });

    await eventually(() => expect(hub.watermark).toBe(5));
    expect([...told.keys()].sort()).toEqual([3, 5]);
    for (const watermark of told.values()) expect(watermark).toBe(2);
    await hub.close();
  },
);

test('a topic whose last event is lost while it is first listened to is not taken to be whole', async () => {
  const bus = new MemoryBus();
  const missing = revocation(1, 0);
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let asked = 0;
  const journal: Journal = {
    epoch,
    now: async () => {
      asked += 1;
      if (asked > 1) await answered;
      return { head: 0, pending: new Set(), at: 0 };
    },
    read: async () => ({ events: [missing], upTo: 1, floor: 0 }),
    stretch: async () => ({ events: [missing], upTo: 1, floor: 0 }),
  };
  const hub = new Hub({ bus, journal, failed: (error) => expect(error).toBeNull() });
  await hub.start();
  let isOpen = false;
  const watcher: Watcher = {
    arrived() {},
    advanced: () => {
      isOpen = true;
    },
    whispered() {},
    renewed() {},
  };
  hub.attach(['nodes'], watcher);
  await eventually(() => expect(asked).toBe(2));
  bus.publish(addressOf(epoch, controlTopic), { from: 0, to: 1, topics: { nodes: 1 } });
  expect(hub.watermark).toBe(1);
  answer();
  await eventually(() => expect(isOpen).toBe(true));

  expect(hub.after(['nodes'], 0, watcher)).toBeNull();
  expect((await hub.read(['nodes'], 0, watcher)).events).toEqual([missing]);
  expect(hub.after(['nodes'], 1, watcher)).toEqual([]);
  await hub.close();
});
