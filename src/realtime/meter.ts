/** What the engine counts. Without an observer nothing is counted. */
export interface Meter {
  published(kind: string): void;
  executed(): void;
  /** `count` subscribers were sent one payload; `seconds` since it was written. */
  delivered(count: number, seconds: number): void;
  /** A subscriber went to catching up: `start`, `resume`, `slow`, `behind`, `turn` or `moved`. */
  caughtUp(reason: string): void;
  resumed(outcome: 'continued' | 'expired'): void;
  setAside(): void;
}

/** Counts nothing. */
export const silent: Meter = {
  published() {},
  executed() {},
  delivered() {},
  caughtUp() {},
  resumed() {},
  setAside() {},
};
