import type { PositionStorage } from './types.ts';

/**
 * Positions in the browser's `localStorage`, under `prefix`: with the user's id in it, so that each user of a browser
 * has their own. Where the browser refuses to keep anything, nothing is kept.
 */
export function localPositions(prefix = 'realtime:'): PositionStorage {
  return {
    get: (key) => localStorage.getItem(prefix + key),
    set: (key, value) => localStorage.setItem(prefix + key, value),
    remove: (key) => localStorage.removeItem(prefix + key),
  };
}

/** For as long as the page lives. */
export function memoryPositions(): PositionStorage {
  const positions = new Map<string, string>();
  return {
    get: (key) => positions.get(key),
    set: (key, value) => void positions.set(key, value),
    remove: (key) => void positions.delete(key),
  };
}

/** Storage that never throws, and that is written one after another: of what waits, the newest alone. */
export class Positions {
  readonly #storage: PositionStorage;
  /** What is to be written next, null to be removed. */
  readonly #waiting = new Map<string, string | null>();
  readonly #writing = new Set<string>();

  constructor(storage: PositionStorage) {
    this.#storage = storage;
  }

  async get(key: string): Promise<string | null> {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) return waiting;
    try {
      return (await this.#storage.get(key)) ?? null;
    } catch {
      return null;
    }
  }

  set(key: string, position: string | null): void {
    this.#waiting.set(key, position);
    if (!this.#writing.has(key)) void this.#write(key);
  }

  async #write(key: string): Promise<void> {
    this.#writing.add(key);
    for (;;) {
      const position = this.#waiting.get(key);
      if (position === undefined) break;
      this.#waiting.delete(key);
      try {
        // Not awaited where it is done at once: a page may be left at any moment.
        const written = position === null ? this.#storage.remove(key) : this.#storage.set(key, position);
        if (written) await written;
      } catch {
        // Full or refused: what is kept is an older position, or none.
      }
    }
    this.#writing.delete(key);
  }
}
