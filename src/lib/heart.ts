/**
 * Finds out that somebody has gone silent. The wait is counted in beats of a timer and not by the clock: a process
 * that was stopped, or too busy to look, has missed one beat, and does not take its own absence for the other's.
 * The answer ends it.
 */
export function listenToHeart({ everyMs, beats, ask, silent }: Heart): () => void {
  let missed = 0;
  let asked: Promise<unknown> | null = null;
  const timer = setInterval(() => {
    if (asked === null) {
      missed = 0;
      const asking = ask().then(answered, answered);
      asked = asking;
      function answered() {
        if (asked === asking) asked = null;
      }
    } else {
      missed += 1;
      if (missed < beats) return;
      asked = null;
      silent();
    }
  }, everyMs);
  return () => clearInterval(timer);
}

interface Heart {
  readonly everyMs: number;
  /** How many may pass without an answer. */
  readonly beats: number;
  /** Asks something small. A refusal is an answer as well. */
  ask(): Promise<unknown>;
  silent(): void;
}
