import { type Refusal, tooLarge } from '../errors.ts';
import { Lane } from './lanes.ts';

/** In UTF-16 units of text. Each page of one list fits, however large its rows are. */
export const largestPortion = 16 * 1024 * 1024;
/** Rows are measured once they are here. */
const mostAtOnce = 4;

/**
 * What one execution may take: its cost bounds how many rows and fields there are, and this how large they are
 * together. Rows and answers are apart, because a row may be answered many times, or in no part at all.
 */
export class Portion {
  #toRead = largestPortion;
  #toAnswer = largestPortion;
  readonly #lane = new Lane(mostAtOnce);

  /** Reads from the database when it is its turn. @throws LIMIT_EXCEEDED */
  read<Found>(rows: () => Promise<Found>): Promise<Found> {
    return this.#lane.run(async () => {
      if (this.#toRead < 0) throw overfull;
      const found = await rows();
      this.#toRead = roomBeside(found, this.#toRead);
      if (this.#toRead < 0) throw overfull;
      return found;
    });
  }

  /** @throws LIMIT_EXCEEDED */
  answer<Value>(value: Value): Value {
    if (this.#toAnswer >= 0) this.#toAnswer = roomBeside(value, this.#toAnswer);
    if (this.#toAnswer < 0) throw overfull;
    return value;
  }
}

/** One for all: it may be thrown by each of a hundred thousand fields. */
const overfull: Refusal = tooLarge('What the operation reads or answers is too large in all: ask for less.');

/** Looks no further than there is room, which is less than none then. */
function roomBeside(value: unknown, room: number): number {
  if (typeof value === 'string') return room - value.length - '""'.length;
  if (typeof value === 'number') return room - String(value).length;
  if (typeof value !== 'object' || value === null) return room - 'false'.length;
  if (value instanceof Date) return room - '"2026-11-22T10:30:00.000Z"'.length;
  const parts = value instanceof Map ? value.values() : Array.isArray(value) ? value : null;
  let left = room - '{}'.length;
  if (parts) {
    for (const part of parts) {
      if (left < 0) break;
      left = roomBeside(part, left - ','.length);
    }
    return left;
  }
  for (const key in value) {
    if (left < 0) break;
    left = roomBeside((value as Record<string, unknown>)[key], left - key.length - '"":,'.length);
  }
  return left;
}
