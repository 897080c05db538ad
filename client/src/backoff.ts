export interface Pace {
  readonly firstMs: number;
  readonly longestMs: number;
}

/**
 * How long to wait after so many failures in a row, in milliseconds: doubling up to the longest, and anything
 * between half of it and the whole, so that clients that were cut off together do not come back together.
 *
 * @param chance from 0 to 1
 */
export function backoff({ firstMs, longestMs }: Pace, failures: number, chance: number): number {
  return Math.min(firstMs * 2 ** failures, longestMs) * (0.5 + chance / 2);
}
