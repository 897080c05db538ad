import type { JournalEvent } from './event.ts';

/** What the engine counts. Without an observer nothing is counted. */
export interface Meter {
  published(kind: string): void;
  executed(): void;
  /** `count` subscribers were sent one event; `seconds` since it was written, null where that measures nothing. */
  delivered(event: JournalEvent, count: number, seconds: number | null): void;
  /** A subscriber went to catching up: `start`, `resume`, `slow`, `behind`, `turn` or `moved`. */
  caughtUp(reason: string): void;
  resumed(outcome: 'continued' | 'expired'): void;
  setAside(): void;
  /** A batch was moved in so many seconds, the oldest of its events so long after it was written. */
  moved(seconds: number, ageSeconds: number): void;
}

/** Counts nothing. */
export const silent: Meter = {
  published() {},
  executed() {},
  delivered() {},
  caughtUp() {},
  resumed() {},
  setAside() {},
  moved() {},
};
