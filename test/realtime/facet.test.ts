import { describe, expect, test } from 'vitest';
import type { JournalEvent } from '../../src/realtime/event.ts';
import { SharedReads } from '../../src/realtime/journal.ts';
import { Topic } from '../../src/realtime/topic.ts';
import type { Watcher } from '../../src/realtime/watcher.ts';

const event = (position: number, value: string) =>
  ({
    position,
    prev: position - 1,
    topic: 't',
    payload: value,
    control: false,
    erases: false,
  }) as JournalEvent;

describe('a part of a topic', () => {
  test('that may have lost something in a hole is told to look, whosever event showed it', () => {
    const topic = new Topic({ listening: Promise.resolve(), stop: () => {} }, ({ payload }) => [
      String(payload),
    ]);
    const told: string[] = [];
    const watcher = (name: string): Watcher => ({
      arrived: ({ position }) => told.push(`${name} ${position}`),
      advanced: () => told.push(`${name} looks`),
      whispered: () => {},
      renewed: () => {},
    });
    for (const value of ['a', 'b']) topic.attach({ name: 'v', value }, watcher(value));
    topic.open(0);
    topic.accept(event(2, 'b'));
    expect(told).toEqual(['b 2', 'a looks', 'b looks']);
    expect(topic.after({ name: 'v', value: 'a' }, 0)).toBeNull();
    expect(topic.after({ name: 'v', value: 'a' }, 1)).toEqual([]);
  });
});

describe('a page of the journal that is shared', () => {
  test('and ends just where somebody asked from is not all that there is for them', async () => {
    const reads = new SharedReads(async (_topics, after) => {
      const upTo = Math.min(600, after + 200);
      return {
        events: Array.from({ length: upTo - after }, (_, index) => event(after + 1 + index, '')),
        upTo,
        floor: 0,
      };
    });
    const [, second] = await Promise.all([reads.page(['t'], 0), reads.page(['t'], 200)]);
    expect(second.events.map(({ position }) => position)).toEqual(
      Array.from({ length: 200 }, (_, index) => 201 + index),
    );
  });
});
