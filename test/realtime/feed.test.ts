import { expect, test } from 'vitest';
import type { JournalEvent } from '../../src/realtime/event.ts';
import { Feed } from '../../src/realtime/feed.ts';

/** Every event of one topic, at every second position. */
const eventAt = (index: number, more: Partial<JournalEvent> = {}): JournalEvent => ({
  ...{ position: index * 2, prev: (index - 1) * 2, topic: 't', id: String(index), kind: 'k', type: 't' },
  ...{
    recipientId: null,
    subject: String(index),
    erases: false,
    control: false,
    payload: index,
    writtenAt: 0,
  },
  ...more,
});
const run = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => eventAt(from + index));
const positions = (events: readonly JournalEvent[] | null) => events?.map(({ position }) => position);

function openFeed(capacity: number): Feed {
  const feed = new Feed(capacity);
  feed.open(20);
  for (const event of run(11, 12)) feed.append(event);
  return feed;
}

test('what was read back for one is there for the next', () => {
  const feed = openFeed(10);
  expect(feed.after(8)).toBeNull();
  feed.extend(8, { events: run(5, 12), upTo: 24, floor: 0 });

  expect(positions(feed.after(8))).toEqual([10, 12, 14, 16, 18, 20, 22, 24]);
  expect(positions(feed.after(21))).toEqual([22, 24]);
  expect(feed.after(7)).toBeNull();
  feed.append(eventAt(13));
  expect(positions(feed.after(22))).toEqual([24, 26]);
});

test('only as much of it is kept as there is room for', () => {
  const feed = openFeed(5);
  feed.extend(8, { events: run(5, 12), upTo: 24, floor: 0 });

  expect(feed.after(13)).toBeNull();
  expect(positions(feed.after(14))).toEqual([16, 18, 20, 22, 24]);
});

test('what does not come up to where the feed begins is not kept', () => {
  const feed = openFeed(10);
  feed.extend(8, { events: run(5, 8), upTo: 16, floor: 0 });
  expect(feed.after(8)).toBeNull();
});

test('what the journal has trimmed is not taken for there', () => {
  const feed = openFeed(10);
  feed.extend(8, { events: run(8, 12), upTo: 24, floor: 14 });
  expect(feed.after(8)).toBeNull();
  expect(positions(feed.after(14))).toEqual([16, 18, 20, 22, 24]);
});

test('content that was taken back after the reading does not come back', () => {
  const feed = openFeed(10);
  feed.append(eventAt(13, { subject: '6', erases: true, payload: 'gone' }));
  feed.extend(8, { events: run(5, 12), upTo: 24, floor: 0 });

  const shown = feed.after(8)!.find(({ position }) => position === 12);
  expect(shown?.erasedBy).toBe('gone');
});
