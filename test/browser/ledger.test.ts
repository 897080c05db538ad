import { describe, expect, test } from 'vitest';
import { Ledger, type Stream } from '../../web/src/ledger.ts';

const size = 2;

/** A list of the server's, oldest first, that is read newest first and in pages of two. */
function listOf(...ids: string[]) {
  const asked: (string | null)[] = [];
  return {
    ids,
    asked,
    read: async (before: string | null) => {
      asked.push(before);
      const newest = [...ids].reverse();
      const from = before === null ? 0 : newest.indexOf(before) + 1;
      const page = newest.slice(from, from + size);
      return { ids: page, before: from + size < newest.length ? page.at(-1)! : null };
    },
  };
}

const soon = { patienceMs: 1 };
const tell = (ledger: Ledger, stream: Stream, ...ids: string[]) => {
  for (const id of ids) ledger.note(stream, { id, state: '', position: `p${id}` });
};
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

describe('the count of the demo', () => {
  test('finds what a subscription should have told and did not', async () => {
    const ledger = new Ledger(soon);
    const list = listOf('10');
    const stream = ledger.open(list.read);
    await ledger.audit();
    list.ids.push('11', '12', '13');
    tell(ledger, stream, '11');
    await ledger.audit();
    expect(ledger.tally).toMatchObject({ received: 1, missed: 2, repeated: 0, position: 'p11' });
    expect(ledger.tally.checkedAt).not.toBeNull();

    // Late is not lost.
    tell(ledger, stream, '12');
    expect(ledger.tally.missed).toBe(1);
    tell(ledger, stream, '13');
    expect(ledger.tally).toMatchObject({ received: 3, missed: 0 });
    await ledger.audit();
    expect(ledger.tally.missed).toBe(0);
  });

  test('finds what came twice, by its place and by what it says', () => {
    const ledger = new Ledger(soon);
    const stream = ledger.open(listOf().read);
    ledger.note(stream, { id: 'one', state: '', position: 'p1' });
    ledger.note(stream, { id: 'one', state: 'edited', position: 'p2' });
    ledger.note(stream, { id: 'one', state: null, position: 'p3' });
    ledger.note(stream, { id: 'one', state: null, position: 'p4' });
    expect(ledger.tally.repeated).toBe(0);
    ledger.note(stream, { id: 'one', state: null, position: 'p4' });
    ledger.note(stream, { id: 'one', state: '', position: 'p5' });
    expect(ledger.tally).toMatchObject({ received: 6, repeated: 2 });
  });

  test('asks of a subscription only what came while it was there, and keeps what an ended one missed', async () => {
    const ledger = new Ledger(soon);
    const list = listOf();
    const first = ledger.open(list.read);
    await ledger.audit();
    list.ids.push('10');
    await ledger.audit();
    ledger.close(first);
    list.ids.push('11');
    ledger.open(list.read);
    await ledger.audit();
    await ledger.audit();
    expect(ledger.tally.missed).toBe(1);
  });

  test('reads on until it meets what is known, and the next time no further than that', async () => {
    const ledger = new Ledger(soon);
    const list = listOf('10', '11', '12');
    const stream = ledger.open(list.read);
    await ledger.audit();
    list.ids.push('13', '14', '15', '16', '17');
    tell(ledger, stream, '14', '15', '16', '17');
    list.asked.length = 0;
    await ledger.audit();
    expect(list.asked).toEqual([null, '16', '14']);
    expect(ledger.tally.missed).toBe(1);
    list.asked.length = 0;
    await ledger.audit();
    expect(list.asked).toEqual([null]);
    expect(ledger.tally.missed).toBe(1);
  });

  test('takes nothing for missed because newer ones are gone from the list', async () => {
    const ledger = new Ledger(soon);
    const list = listOf('10', '11', '12', '13');
    ledger.open(list.read);
    await ledger.audit();
    list.ids.splice(2);
    await ledger.audit();
    expect(ledger.tally.missed).toBe(0);
  });

  test('takes nothing for missed because the wire was cut before it could come', async () => {
    const ledger = new Ledger(soon);
    const list = listOf('10');
    const stream = ledger.open(list.read);
    let line = 'first';
    await ledger.audit(() => line);
    list.ids.push('11');
    const audit = ledger.audit(() => line);
    line = 'second';
    await audit;
    expect(ledger.tally.missed).toBe(0);

    // On the line that there is now it should have come.
    await ledger.audit(() => line);
    expect(ledger.tally.missed).toBe(1);
    tell(ledger, stream, '11');
    expect(ledger.tally.missed).toBe(0);
  });

  test('grows with what it has found, and not with how long it is open', async () => {
    const ledger = new Ledger({ ...soon, most: 10 });
    const list = listOf('100');
    const stream = ledger.open(list.read);
    await ledger.audit();
    for (let from = 200; from < 300; from += 5) {
      list.ids.push(...numbers(from, from + 4));
      tell(ledger, stream, ...numbers(from, from + 4));
      await ledger.audit();
      expect(stream.received.size).toBe(0);
    }
    expect(ledger.tally).toMatchObject({ received: 100, missed: 0, repeated: 0 });
    expect(stream.seen.size).toBeLessThanOrEqual(20);

    // While nothing can be compared as well.
    tell(ledger, stream, ...numbers(300, 350));
    expect(stream.received.size).toBeLessThanOrEqual(10);
  });
});
