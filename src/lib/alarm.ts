/** The clock is looked at this often: it may be set, and a machine may sleep, which timers do not notice. */
const lookMs = 60_000;

/** Calls once when the clock reaches an instant, however far away. The answer calls it off. */
export function setAlarm(at: number, ring: () => void): () => void {
  let timer: NodeJS.Timeout;
  arm();
  return () => clearTimeout(timer);

  function arm(): void {
    const remainingMs = at - Date.now();
    timer = setTimeout(() => (Date.now() >= at ? ring() : arm()), Math.min(Math.max(remainingMs, 0), lookMs));
    timer.unref();
  }
}
