import { describe, expect, test } from 'vitest';
import { Ledger } from '../../web/src/ledger.ts';

/** A list of the server's, newest last, and a subscription to what is added to it. */
function listOf(...ids: string[]) {
  return {
    ids,
    read: async () => ({ ids: [...ids].reverse(), before: null }),
  };
}

const soon = 1;

describe('the count of the demo', () => {
  test('finds what a subscription should have told and did not', async () => {
    const ledger = new Ledger(soon);
    const list = listOf('before');
    const stream = ledger.open(list.read);
    await ledger.audit();
    list.ids.push('told', 'lost', 'lost too');
    ledger.note(stream, 'told', '', 'p1');
    await ledger.audit();
    expect(ledger.tally).toMatchObject({ received: 1, missed: 2, repeated: 0, position: 'p1' });
    expect(ledger.tally.checkedAt).not.toBeNull();

    // Late is not lost.
    ledger.note(stream, 'lost', '', 'p2');
    ledger.note(stream, 'lost too', '', 'p3');
    await ledger.audit();
    expect(ledger.tally).toMatchObject({ received: 3, missed: 0 });
  });

  test('finds what came twice, and takes a change of a row for what it is', () => {
    const ledger = new Ledger(soon);
    const stream = ledger.open(listOf().read);
    ledger.note(stream, 'one', '', 'p1');
    ledger.note(stream, 'one', 'edited', 'p2');
    expect(ledger.tally.repeated).toBe(0);
    ledger.note(stream, 'one', '', 'p1');
    expect(ledger.tally).toMatchObject({ received: 3, repeated: 1 });
  });

  test('asks of a subscription only what came while it was there, and keeps what an ended one missed', async () => {
    const ledger = new Ledger(soon);
    const list = listOf();
    const first = ledger.open(list.read);
    await ledger.audit();
    list.ids.push('lost');
    await ledger.audit();
    ledger.close(first);
    list.ids.push('between');
    ledger.open(list.read);
    await ledger.audit();
    await ledger.audit();
    expect(ledger.tally.missed).toBe(1);
  });

  test('reads on until it meets what was there before', async () => {
    const ledger = new Ledger(soon);
    const ids = ['old'];
    const asked: (string | null)[] = [];
    const stream = ledger.open(async (before) => {
      asked.push(before);
      const newest = [...ids].reverse();
      const from = before === null ? 0 : newest.indexOf(before) + 1;
      const page = newest.slice(from, from + 2);
      return { ids: page, before: from + 2 < newest.length ? page.at(-1)! : null };
    });
    await ledger.audit();
    asked.length = 0;
    ids.push('1', '2', '3', '4', '5');
    for (const id of ['2', '3', '4', '5']) ledger.note(stream, id, '', null);
    await ledger.audit();
    expect(asked).toEqual([null, '4', '2']);
    expect(ledger.tally.missed).toBe(1);
  });
});
