import type { JournalEvent } from './event.ts';

/** What an event may be found by: a name, and a value that the event has under it. */
export interface Facet {
  readonly name: string;
  readonly value: string;
}

const separator = '\u0000';

/**
 * Names the part of a topic whose events have a value, before or after. Whoever follows only that is not asked about
 * the others. It stands wherever a topic stands, but bus and journal know topics alone.
 */
export const partNamed = (topic: string, { name, value }: Facet): string =>
  [topic, name, value].join(separator);

/** What a name stands for: a topic, or a part of one. */
export function readName(name: string): { readonly topic: string; readonly facet: Facet | null } {
  const end = name.indexOf(separator);
  if (end < 0) return { topic: name, facet: null };
  const [facet, value] = name.slice(end + 1).split(separator) as [string, string];
  return { topic: name.slice(0, end), facet: { name: facet, value } };
}

/** The values of an event under the name of a facet, before and after. */
export type ValuesOf = (event: JournalEvent, name: string) => readonly string[];

/** What of a page of whole topics is in parts of them: looked up once for all who were given the page. */
export class PageIndex {
  readonly #valuesOf: ValuesOf;
  /** By page, and by the facet's name and value: the positions. */
  #pages = new WeakMap<readonly JournalEvent[], Map<string, Map<string, Set<number>>>>();

  constructor(valuesOf: ValuesOf) {
    this.#valuesOf = valuesOf;
  }

  /** Those of `events` that one of the names stands for; `page` is what all were read in. */
  select(
    events: readonly JournalEvent[],
    page: readonly JournalEvent[],
    names: readonly string[],
  ): readonly JournalEvent[] {
    const parts = names.map(readName);
    if (parts.every(({ facet }) => facet === null)) return events;
    const places = parts.map(({ topic, facet }) => ({
      topic,
      isIn: facet ? this.#placesOf(page, facet.name).get(facet.value) : null,
    }));
    return events.filter(
      (event) =>
        event.control ||
        places.some(
          ({ topic, isIn }) => topic === event.topic && (isIn === null || isIn?.has(event.position)),
        ),
    );
  }

  #placesOf(page: readonly JournalEvent[], name: string): Map<string, Set<number>> {
    const known = this.#pages.get(page) ?? new Map<string, Map<string, Set<number>>>();
    this.#pages.set(page, known);
    const found = known.get(name);
    if (found) return found;
    const places = new Map<string, Set<number>>();
    for (const event of page) {
      for (const value of this.#valuesOf(event, name)) {
        places.set(value, (places.get(value) ?? new Set()).add(event.position));
      }
    }
    known.set(name, places);
    return places;
  }
}
