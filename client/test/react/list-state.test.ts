import { assert, constantFrom, integer, property, record, array as someOf } from 'fast-check';
import { expect, test } from 'vitest';
import { type ListChange, withChange } from '../../src/react/list-state.ts';

interface Row {
  readonly id: string;
  readonly isOpen: boolean;
  readonly value: number;
}

/** A change of one row: created, changed, closed or opened again, or deleted. */
const changes = someOf(
  record({ id: integer({ min: 0, max: 5 }), what: constantFrom('put', 'put', 'toggle', 'delete') }),
  { maxLength: 40 },
);

test('a list of the open rows is what its query answers, wherever it begins and however often it is told again', () => {
  assert(
    property(changes, integer({ min: 0, max: 40 }), integer({ min: 0, max: 40 }), (made, at, before) => {
      const table = new Map<string, Row>();
      const told: ListChange<Row>[] = [];
      const states: Map<string, Row>[] = [new Map()];
      const positions: number[] = [0];
      const open = () => new Map([...table].filter(([, { isOpen }]) => isOpen));
      for (const [value, { id, what }] of made.entries()) {
        const recordId = String(id);
        const old = table.get(recordId);
        if (what === 'delete') table.delete(recordId);
        else if (what === 'toggle' && old) table.set(recordId, { ...old, value, isOpen: !old.isOpen });
        else table.set(recordId, { id: recordId, value, isOpen: old?.isOpen ?? true });
        const row = table.get(recordId);
        if (row?.isOpen) told.push({ recordId, membership: old?.isOpen ? 'STAYED' : 'ENTERED', row });
        else if (old?.isOpen) told.push({ recordId, membership: 'LEFT', row: null });
        states.push(open());
        positions.push(told.length);
      }
      // Rows that have gone since are told of without content.
      const replayed = told.map((change, index) => {
        const isGone = told
          .slice(index + 1)
          .some((later) => later.recordId === change.recordId && later.membership === 'LEFT');
        return isGone ? { ...change, row: null } : change;
      });
      const read = Math.min(at, states.length - 1);
      const position = positions[Math.max(read - before, 0)]!;
      const rows = replayed.slice(position).reduce(withChange<Row>, states[read]!);
      expect(new Map([...rows].sort())).toEqual(new Map([...open()].sort()));
    }),
    { numRuns: 2_000 },
  );
});
