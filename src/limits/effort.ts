import { setTimeout as wait } from 'node:timers/promises';
import { rateLimited } from '../errors.ts';

/** So much of a node's time one may have for what nobody else is served meanwhile. */
const share = 0.2;
/** So far one may be ahead of that, which is never noticed by who asks now and then. */
const aheadMs = 50;
/** So long one waits for a turn; who would have to wait longer is to come back. */
const longestMs = 2_000;
/** What takes longer was more likely interrupted than hard. */
const mostAtOnceMs = 20;
/** Text that has to be read, at worst: many small values. */
const bytesPerMs = 200_000;

/**
 * Reading JSON, parsing and validating are done in one go. Counting what is asked does not bound them, since one text may
 * take ten thousand times as long as another; so what it took is written down, and whoever has had more than their share
 * is read later. A leaky bucket of milliseconds, of this node alone.
 */
export class Efforts {
  /** When each has had no more than their share, in the order in which they last did something. */
  #evenAt = new Map<string, number>();

  /** `refused` is told when somebody is to come back. */
  of(owner: string, refused: () => void): Effort {
    const debtMs = () => (this.#evenAt.get(owner) ?? 0) - performance.now();
    const spend = (ms: number) => {
      this.#forget();
      const from = Math.max(performance.now(), this.#evenAt.get(owner) ?? 0);
      this.#evenAt.delete(owner);
      this.#evenAt.set(owner, from + Math.min(ms, mostAtOnceMs) / share);
    };
    return {
      get restMs() {
        return restOf(debtMs());
      },
      run: (work) => {
        const startedAt = performance.now();
        try {
          return work();
        } finally {
          spend(performance.now() - startedAt);
        }
      },
      read: (bytes) => spend(bytes / bytesPerMs),
      turn: async (bytes) => {
        const restMs = restOf(debtMs());
        if (restMs !== null && restMs > longestMs) {
          refused();
          throw rateLimited('Too much to read and to check in too short a time.', restMs);
        }
        spend(bytes / bytesPerMs);
        if (restMs !== null) await wait(restMs, undefined, { ref: false });
      },
    };
  }

  #forget(): void {
    const now = performance.now();
    for (const [owner, evenAt] of this.#evenAt) {
      if (evenAt > now) break;
      this.#evenAt.delete(owner);
    }
  }
}

const restOf = (debtMs: number) => (debtMs > aheadMs ? Math.ceil(debtMs - aheadMs) : null);

/** Of one user, or of an address. */
export interface Effort {
  /** Milliseconds until more may be asked of the node; null where that is now. */
  readonly restMs: number | null;
  /** Does it, and writes down how long it took. */
  run<Result>(work: () => Result): Result;
  /** A text has come that is read at once. */
  read(bytes: number): void;
  /** Waits until it is time to read a text. @throws RATE_LIMITED where that is too long */
  turn(bytes: number): Promise<void>;
}

/** Of whom nothing is asked. */
export const effortless: Effort = {
  restMs: null,
  run: (work) => work(),
  read: () => {},
  turn: async () => {},
};
