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
