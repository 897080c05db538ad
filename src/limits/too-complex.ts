import { Refusal } from '../errors.ts';

/** What is measured of an operation, in the words that follow a number. */
const measures = {
  characters: 'characters',
  lines: 'lines',
  name: 'characters in a name',
  tokens: 'tokens',
  nesting: 'levels of brackets',
  definitions: 'operations and fragments',
  selections: 'selections',
  depth: 'levels of fields',
  aliases: 'aliases',
  directives: 'directives',
  cost: 'points of cost',
} as const;

export type Measure = keyof typeof measures;

/** Says by which measure, what was found and what is allowed. What is counted no further than needed is `limit + 1`. */
export function tooComplex(measure: Measure, limit: number, found: number): Refusal {
  // Fragments that spread each other make numbers that JSON has no word for.
  const counted = Math.min(found, Number.MAX_SAFE_INTEGER);
  const message = `Too many ${measures[measure]}: ${counted}, and at most ${limit} are allowed.`;
  return new Refusal('OPERATION_TOO_COMPLEX', message, undefined, { measure, limit, found: counted });
}
