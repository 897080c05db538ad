import { badInput } from '../errors.ts';

/** The arguments of a list field. */
export interface PageArguments {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
}

/** What a query has to read for a page: one row more than the page has, to see whether there are others. */
export interface PageRequest {
  readonly size: number;
  readonly isBackward: boolean;
  readonly after: string | null;
  readonly before: string | null;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  cursor(row: Row): string;
}

const largest = 100;
const usual = 50;

/** How many rows a page may have, whatever is asked for. */
export function sizeOf({ first, last }: PageArguments): number {
  return Math.min(Math.max(first ?? 0, last ?? 0) || usual, largest);
}

/**
 * `isKey` checks what a cursor stands for.
 * @throws BAD_USER_INPUT
 */
export function pageRequest(
  { first, after, last, before }: PageArguments,
  isKey: (key: string) => boolean,
): PageRequest {
  if (first != null && last != null) throw badInput('`first` and `last` do not go together.');
  const size = first ?? last ?? usual;
  if (size < 1 || size > largest) throw badInput(`\`first\` and \`last\` are between 1 and ${largest}.`);
  return { size, isBackward: last != null, after: keyOf(after, isKey), before: keyOf(before, isKey) };
}

/** Makes a page of rows that were read in the request's direction, one more than its size. */
export function toPage<Row>(
  rows: readonly Row[],
  request: PageRequest,
  keyOfRow: (row: Row) => string,
): Page<Row> {
  const hasMore = rows.length > request.size;
  const page = rows.slice(0, request.size);
  if (request.isBackward) page.reverse();
  return {
    rows: page,
    hasNextPage: request.isBackward ? request.before !== null : hasMore,
    hasPreviousPage: request.isBackward ? hasMore : request.after !== null,
    cursor: (row) => Buffer.from(`1:${keyOfRow(row)}`).toString('base64url'),
  };
}

/** True for what the ids of our rows look like. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);
}

function keyOf(cursor: string | null | undefined, isKey: (key: string) => boolean): string | null {
  if (cursor == null) return null;
  const text = Buffer.from(cursor, 'base64url').toString();
  if (!text.startsWith('1:') || !isKey(text.slice(2))) throw badInput('That is not a cursor of this list.');
  return text.slice(2);
}
