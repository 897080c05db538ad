/**
 * Tries an assertion until it holds, or gives up with its last failure. How long that may take is no promise of
 * the server, only an end: on a busy machine everything takes longer.
 */
export async function eventually(assertion: () => unknown, withinMs = 30_000): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    try {
      await assertion();
      return;
    } catch (error) {
      if (performance.now() - startedAt > withinMs) throw error;
      await pause(startedAt);
    }
  }
}

/** Longer the longer it has taken: asking all the time would hold up what is waited for. */
export function pause(startedAt: number): Promise<void> {
  const waitedMs = performance.now() - startedAt;
  return new Promise((resolve) => setTimeout(resolve, Math.min(10 + waitedMs / 10, 250)));
}
