import { expect, test } from 'vitest';
import { ModelFilter } from '../../src/domain/model-filter.ts';

const columns = new Map<string, string>();
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
