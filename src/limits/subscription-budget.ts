import { type Refusal, tooLarge } from '../errors.ts';

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
