export interface HoldOptions {
  /** Withdraws the request. What is held stays so until it is left. */
  readonly signal: AbortSignal;
  /** From whoever has it, at once. */
  readonly steal?: boolean;
  /** Does not wait for it. */
  readonly ifFree?: boolean;
  granted(held: Held): void;
  /** It is not free. */
  taken?(): void;
  /** The browser gives out no locks here. */
  refused?(): void;
}

/**
 * Asks for a Web Lock. The browser lets go of those of a tab that is closed or crashes, so who is granted one knows
 * that its holder is gone.
 */
export function hold(name: string, options: HoldOptions): void {
  const { signal, steal = false, ifFree = false, granted, taken, refused } = options;
  if (signal.aborted) return;
  let held: Held | null = null;
  const holding = (lock: Lock | null) => {
    if (!lock) return taken?.();
    // It may have been on its way when the signal came.
    if (signal.aborted) return;
    return new Promise<void>((resolve) => {
      held = new Held(resolve);
      granted(held);
    });
  };
  // Only one that waits can be withdrawn.
  const how = steal || ifFree ? { steal, ifAvailable: ifFree } : { signal };
  navigator.locks.request(name, how, holding).catch(() => {
    if (held) held.lose();
    else if (!signal.aborted) refused?.();
  });
}

/** A lock that several links lead under: it is let go of by the last one. */
export class Held {
  readonly #release: () => void;
  readonly #stolen = new AbortController();
  #links = 1;

  constructor(release: () => void) {
    this.#release = release;
  }

  /** Aborted when somebody else has taken it. */
  get stolen(): AbortSignal {
    return this.#stolen.signal;
  }

  join(): this {
    this.#links += 1;
    return this;
  }

  leave(): void {
    this.#links -= 1;
    if (this.#links === 0) this.#release();
  }

  lose(): void {
    this.#stolen.abort();
  }
}
