import { badInput, tooLarge } from '../errors.ts';
import type { JournalEvent } from '../realtime/event.ts';
import { demandJson } from './input.ts';
import { canonical, isComparable, isVerbatim } from './model-value.ts';

export type ModelAction = 'CREATED' | 'UPDATED' | 'DELETED';
export type ModelMembership = 'ENTERED' | 'STAYED' | 'LEFT';

/** A row in the columns that may be seen. */
export type Image = Readonly<Record<string, unknown>>;

/** What the triggers and the relay make of a change. */
export interface ModelPayload {
  readonly action: ModelAction;
  /** The values of the key's columns. */
  readonly key: readonly unknown[];
  readonly new?: Image;
  /** Of an update only what has changed. */
  readonly old?: Image;
  /** The row has left this audience, or has entered it. */
  readonly side?: 'LEFT' | 'ENTERED';
  /** Columns whose values were too large to be told. */
  readonly omitted?: readonly string[];
}

/** What a subscription asks for. */
export interface ModelSelection {
  readonly ids?: readonly string[] | null;
  readonly actions?: readonly ModelAction[] | null;
  readonly where?: unknown;
}

/** What a selection is made of. */
export interface SelectedModel {
  /** The type of each column that may be seen. */
  readonly columns: ReadonlyMap<string, string>;
  readonly keyColumns: readonly string[];
}

/** A value that all rows of a selection share one of: events are found by it. */
export interface Facet {
  readonly name: string;
  readonly values: readonly string[];
}

const mostIds = 1_000;
const longestKey = 65_536;
const mostValues = 100;
/** With more values than that, every event is looked at instead. */
const mostIndexed = 32;
const idFacet = 'id';

/** The rows that a subscription is about. */
export class ModelFilter {
  readonly facet: Facet | null;
  readonly #ids: ReadonlySet<string> | null;
  readonly #actions: ReadonlySet<ModelAction> | null;
  readonly #where: readonly Condition[];

  /** @throws BAD_USER_INPUT for a column that is not exposed, or a value that is not of its type; LIMIT_EXCEEDED */
  constructor({ columns, keyColumns }: SelectedModel, { ids, actions, where }: ModelSelection) {
    if (ids && ids.length > mostIds) throw tooLarge(`\`ids\` are at most ${mostIds}.`);
    this.#ids = ids ? new Set(keyColumns.length > 1 ? ids.map(idOf) : ids) : null;
    this.#actions = actions ? new Set(actions) : null;
    this.#where = conditionsOf(columns, where);
    const facets = [
      ...(this.#ids ? [{ name: idFacet, values: [...this.#ids] }] : []),
      ...this.#where.map(({ column, type, values }) => ({ name: `${type}:${column}`, values: [...values] })),
    ];
    const [smallest] = facets.sort((one, other) => one.values.length - other.values.length);
    const isUseful = smallest && smallest.values.length > 0 && smallest.values.length <= mostIndexed;
    this.facet = isUseful ? smallest : null;
  }

  /** Where the row stands toward the selection after the change; null where the change is none of its business. */
  membership(payload: ModelPayload): ModelMembership | null {
    if (this.#actions && !this.#actions.has(payload.action)) return null;
    if (this.#ids && !this.#ids.has(recordIdOf(payload))) return null;
    const [before, after] = [imageBefore(payload), imageAfter(payload)];
    const matchedBefore = before !== null && this.#matches(before);
    const matchesAfter = after !== null && this.#matches(after);
    if (matchesAfter) return matchedBefore ? 'STAYED' : 'ENTERED';
    return matchedBefore ? 'LEFT' : null;
  }

  /** The values that a column is held to, as text; null where it is not, or where equal values have several texts. */
  valuesOf(column: string): string[] | null {
    const condition = this.#where.find((condition) => condition.column === column);
    if (!condition || !isVerbatim(condition.type)) return null;
    return [...condition.values].map((value) => String(JSON.parse(value)));
  }

  #matches(image: Image): boolean {
    return this.#where.every(({ column, type, values }) =>
      values.has(canonical(type, image[column] ?? null)!),
    );
  }
}

interface Condition {
  readonly column: string;
  readonly type: string;
  readonly values: ReadonlySet<string>;
}

function conditionsOf(columns: ReadonlyMap<string, string>, where: unknown): Condition[] {
  if (where == null) return [];
  demandJson('where', where);
  if (typeof where !== 'object' || Array.isArray(where))
    throw badInput('`where` is an object of column to value.');
  return Object.entries(where).map(([column, wanted]) => {
    const type = columns.get(column);
    if (type === undefined) throw badInput(`\`where\`: there is no column "${column}" to see.`);
    if (!isComparable(type))
      throw badInput(`\`where\`: the column "${column}" is of a type that is not compared.`);
    const list: unknown[] = Array.isArray(wanted) ? wanted : [wanted];
    if (list.length > mostValues) throw tooLarge(`\`where\`: a column has at most ${mostValues} values.`);
    const values = list.map((value) => {
      const text = canonical(type, value);
      if (text === null) throw badInput(`\`where\`: a value of "${column}" is not of its type, ${type}.`);
      return text;
    });
    return { column, type, values: new Set(values) };
  });
}

/** The row's id as clients know it: of a key of several columns their JSON array. */
export function recordIdOf({ key }: ModelPayload): string {
  return key.length === 1 ? String(key[0]) : JSON.stringify(key);
}

export function imageBefore({ action, new: after, old, side }: ModelPayload): Image | null {
  if (side === 'ENTERED' || action === 'CREATED') return null;
  return { ...after, ...old };
}

export function imageAfter({ action, new: after, side }: ModelPayload): Image | null {
  return side === 'LEFT' || action === 'DELETED' ? null : after!;
}

/** The values that an event may be found by under the name of a facet: those before and those after. */
export function facetValues({ kind, payload }: JournalEvent, name: string): string[] {
  if (kind !== 'model') return [];
  const change = payload as ModelPayload;
  if (!change.key) return [];
  if (name === idFacet) return [recordIdOf(change)];
  const end = name.indexOf(':');
  const [type, column] = [name.slice(0, end), name.slice(end + 1)];
  const images = [imageBefore(change), imageAfter(change)].filter((image) => image !== null);
  return [...new Set(images.map((image) => canonical(type, image[column] ?? null)!))];
}

/** However the JSON array of a key is written. No row has a key that is longer. */
function idOf(id: string): string {
  if (!id.startsWith('[') || id.length > longestKey) return id;
  try {
    return JSON.stringify(JSON.parse(id));
  } catch {
    return id;
  }
}
