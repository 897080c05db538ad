import { type Refusal, tooLarge } from '../errors.ts';

/** What a connection has asked for is kept while it is subscribed, to ask for it again: as JSON, in characters. */
const mostCharacters = 1_048_576;

/** LIMIT_EXCEEDED where one more would be too much to keep; null where not. */
export function overSize(characters: number, others: Iterable<{ characters: number }>): Refusal | null {
  let kept = 0;
  for (const other of others) kept += other.characters;
  if (kept + characters <= mostCharacters) return null;
  return tooLarge(
    `What a connection is subscribed to, its texts and variables, has at most ${mostCharacters} characters.`,
  );
}

/**
 * What an event costs is paid for each event: so what a connection is subscribed to is bounded by its cost, beside its
 * number. LIMIT_EXCEEDED where one more would go beyond; null where not.
 */
export function overBudget(cost: number, others: Iterable<{ cost: number }>, most: number): Refusal | null {
  let spent = 0;
  for (const other of others) spent += other.cost;
  if (spent + cost <= most) return null;
  return tooLarge(
    `One event of everything that a connection is subscribed to costs at most ${most}: this costs ${cost}, the rest ${spent}.`,
  );
}
