import { type Refusal, rateLimited, tooLarge } from '../errors.ts';
import { Lane } from './lanes.ts';

/** In UTF-16 units of text. Each page of one list fits, however large its rows are. */
export const largestPortion = 16 * 1024 * 1024;
/** Of all portions of an owner together, in the same units: rows and answers of the four largest. */
const mostHeld = 8 * largestPortion;
/** It is known how large rows are once they are here. */
const mostReadings = 8;
const againMs = 1_000;

/**
 * What one execution may take of a node's memory: its cost bounds how many rows and fields there are, and this how
 * large they are together. Rows and answers are apart, because a row may be answered many times, or in no part at all.
 */
export class Portion {
  #holding: Holding;
  #rows = 0;
  #answer = 0;
  #isClosed = false;
  #left: () => void;

  constructor(holding: Holding = new Holding(), left: () => void = () => {}) {
    this.#holding = holding;
    this.#left = left;
  }

  /** Reads from the database when it is its turn. @throws LIMIT_EXCEEDED, RATE_LIMITED */
  read<Found>(rows: () => Promise<Found>): Promise<Found> {
    return this.#holding.reading.run(async () => {
      if (this.#rows > largestPortion) throw overfull;
      // Others wait for their turn, and nobody for this any more.
      if (this.#isClosed) throw abandoned;
      if (this.#holding.size > mostHeld) throw rateLimited('Earlier answers have not been taken.', againMs);
      const found = await rows();
      const size = sizeOf(found, largestPortion - this.#rows);
      this.#rows += size;
      this.#holding.size += size;
      if (this.#rows > largestPortion) throw overfull;
      return found;
    });
  }

  /** @throws LIMIT_EXCEEDED */
  answer<Value>(value: Value): Value {
    if (this.#answer <= largestPortion) {
      const size = sizeOf(value, largestPortion - this.#answer);
      this.#answer += size;
      this.#holding.size += size;
    }
    if (this.#answer > largestPortion) throw overfull;
    return value;
  }

  /** The answer has been taken, or nobody waits for it any more. Closed again, it does nothing. */
  close(): void {
    this.#holding.size -= this.#rows + this.#answer;
    this.#isClosed = true;
    // What is being read just now is for nobody.
    this.#holding = new Holding();
    this.#left();
    this.#left = () => {};
  }
}

/** Of one owner. */
class Holding {
  readonly reading = new Lane(mostReadings);
  size = 0;
  portions = 0;
}

/** What a node holds for each owner, until they have taken it. */
export class Holdings {
  readonly #holdings = new Map<string, Holding>();

  portionOf(owner: string): Portion {
    const holding = this.#holdings.get(owner) ?? new Holding();
    this.#holdings.set(owner, holding);
    holding.portions += 1;
    return new Portion(holding, () => {
      holding.portions -= 1;
      if (holding.portions === 0) this.#holdings.delete(owner);
    });
  }
}

/** One for all: it may be thrown by each of a hundred thousand fields. */
const overfull: Refusal = tooLarge('What the operation reads or answers is too large in all: ask for less.');

/** Nobody hears it. */
const abandoned: Refusal = tooLarge('Whoever asked has left.');

/** About as many characters as its JSON has. Looks little further than `most`. */
function sizeOf(value: unknown, most: number): number {
  if (typeof value === 'string') return value.length + '""'.length;
  if (typeof value === 'number') return String(value).length;
  if (typeof value !== 'object' || value === null) return 'false'.length;
  if (value instanceof Date) return '"2026-11-22T10:30:00.000Z"'.length;
  let size = '{}'.length;
  if (Array.isArray(value) || value instanceof Map) {
    for (const part of value.values()) {
      if (size > most) break;
      size += sizeOf(part, most - size) + ','.length;
    }
    return size;
  }
  for (const key in value) {
    if (size > most) break;
    size += key.length + '"":,'.length + sizeOf((value as Record<string, unknown>)[key], most - size);
  }
  return size;
}
