import { pause } from './eventually.ts';

/** Waits for a condition; what is named is what did not come true in time. An error ends the wait at once. */
export async function until(
  what: string,
  withinMs: number,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const startedAt = performance.now();
  while (!(await holds())) {
    if (performance.now() - startedAt > withinMs) throw new Error(`Not within ${withinMs} ms: ${what}.`);
    await pause(startedAt);
  }
}
