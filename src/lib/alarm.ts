/** The longest that a timer of Node can wait; a longer one would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

/** Calls once when the clock reaches an instant, however far away. The answer calls it off. */
export function setAlarm(at: number, ring: () => void): () => void {
  let timer: NodeJS.Timeout;
  arm();
  return () => clearTimeout(timer);

  function arm(): void {
    const remainingMs = at - Date.now();
    timer = setTimeout(
      () => (Date.now() >= at ? ring() : arm()),
      Math.min(Math.max(remainingMs, 0), longestTimerMs),
    );
    timer.unref();
  }
}
