/** Ids of messages and notifications sort by the time they were made at, as their lists do (UUID version 7). */
interface Identified {
  readonly id: string;
}

/** So many rows the stream may add, however long somebody looks. */
const mostTold = 500;

/**
 * The newest rows of a list, back to where it has been read: a page, the older pages that were asked for, and
 * everything that the stream has told since.
 *
 * What the stream tells is newer than what is there, always. What a page says may be older than that, so it fills in
 * what is not known yet and replaces nothing.
 */
export interface Window<Row extends Identified> {
  readonly rows: ReadonlyMap<string, Row>;
  /** Those that the stream has taken out: a page that was read before may still have them. */
  readonly gone: ReadonlySet<string>;
  /** How many the stream has added to both. */
  readonly told: number;
  /** From here on every row is there. */
  readonly oldest: string | null;
  /** Where the next older page ends. */
  readonly cursor: string | null;
  readonly hasOlder: boolean;
}

/** One page of the list, in either order. */
export interface WindowPage<Row> {
  readonly rows: readonly Row[];
  readonly cursor: string | null;
  readonly hasOlder: boolean;
}

export const emptyWindow: Window<never> = {
  rows: new Map<string, never>(),
  gone: new Set(),
  told: 0,
  oldest: null,
  cursor: null,
  hasOlder: false,
};

/** A window with one more page at its old end; with its first one when it is empty. */
export function withPage<Row extends Identified>(
  window: Window<Row>,
  { rows: page, cursor, hasOlder }: WindowPage<Row>,
): Window<Row> {
  const rows = new Map(window.rows);
  for (const row of page) if (!isKnown(window, row)) rows.set(row.id, row);
  const oldest = page.reduce((least, { id }) => (least === null || id < least ? id : least), window.oldest);
  return { ...window, rows, oldest, hasOlder, cursor: cursor ?? window.cursor };
}

/** As the stream tells a row: new, or changed. */
export function withTold<Row extends Identified>(window: Window<Row>, row: Row): Window<Row> {
  const gone = new Set(window.gone);
  gone.delete(row.id);
  const told = window.told + (window.rows.has(row.id) ? 0 : 1);
  return { ...window, gone, told, rows: new Map(window.rows).set(row.id, row) };
}

/** As the stream takes a row out. */
export function withoutRow<Row extends Identified>(window: Window<Row>, id: string): Window<Row> {
  const rows = new Map(window.rows);
  rows.delete(id);
  const told = window.told + (window.gone.has(id) ? 0 : 1);
  return { ...window, rows, told, gone: new Set(window.gone).add(id) };
}

/** It is time to read the newest page anew. Pages that were asked for do not count: they are wanted. */
export const isFull = ({ told }: Pick<Window<Identified>, 'told'>) => told >= mostTold;

/**
 * The rows without a hole between them, oldest first. Of a row that is older than what has been read only a change
 * is known: it is kept for when its page is read.
 */
export function rowsOf<Row extends Identified>(window: Window<Row>): Row[] {
  const shown = [...window.rows.values()].filter(({ id }) => !isBefore(window, id));
  return shown.sort((one, other) => (one.id < other.id ? -1 : 1));
}

const isKnown = <Row extends Identified>({ rows, gone }: Window<Row>, { id }: Row) =>
  rows.has(id) || gone.has(id);

/** Whether a row of that id would be in a page that has not been read. */
export const isBefore = <Row extends Identified>({ oldest, hasOlder }: Window<Row>, id: string) =>
  hasOlder && oldest !== null && id < oldest;
