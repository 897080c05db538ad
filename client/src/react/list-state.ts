/** What a list needs to be told of a change. */
export interface ListChange<Row> {
  readonly recordId: string;
  readonly membership: 'ENTERED' | 'STAYED' | 'LEFT';
  /** The row after the change; null where it is gone, also where it has gone since. */
  readonly row: Row | null;
}

/** Rows by their record id, in the order in which they came. */
export type Rows<Row> = ReadonlyMap<string, Row>;

/**
 * Rows and one more change. It may be known already: the state that a list begins with can be newer than its
 * position. A row that has been deleted since enters without content: it is passed over, and its leaving follows.
 */
export function withChange<Row>(rows: Rows<Row>, { recordId, membership, row }: ListChange<Row>): Rows<Row> {
  if (membership === 'LEFT' ? !rows.has(recordId) : row === null) return rows;
  const changed = new Map(rows);
  if (membership === 'LEFT') changed.delete(recordId);
  else changed.set(recordId, row!);
  return changed;
}
