import { expect, test } from 'vitest';
import { ModelFilter } from '../../src/domain/model-filter.ts';

const columns = new Map([
  ['plain', 'text'],
  ['folded', 'citext'],
  ['amount', 'numeric'],
]);
const membershipOf = (keyColumns: string[], key: unknown[], id: string) =>
  new ModelFilter({ columns, keyColumns }, { ids: [id] }).membership({ action: 'CREATED', key, new: {} });

test('an id is the text of its column, whatever it looks like', () => {
  expect(membershipOf(['name'], ['[1, 2]'], '[1, 2]')).toBe('ENTERED');
  expect(membershipOf(['name'], ['[1,2]'], '[1, 2]')).toBeNull();
});

test('an id of several columns is a JSON array, however it is written', () => {
  expect(membershipOf(['a', 'b'], [1, 2], '[1, 2]')).toBe('ENTERED');
  expect(membershipOf(['a', 'b'], [1, 2], '[1,3]')).toBeNull();
});

test('a column is held to texts only where the database has no other text for the same value', () => {
  const valuesOf = (column: string, value: string) =>
    new ModelFilter({ columns, keyColumns: ['id'] }, { where: { [column]: value } }).valuesOf(column);
  expect(valuesOf('plain', 'General')).toEqual(['General']);
  // The rows may be those of a channel that is called General, or 1.50.
  expect(valuesOf('folded', 'General')).toBeNull();
  expect(valuesOf('amount', '1.50')).toBeNull();
});
