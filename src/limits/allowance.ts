import type { Tally } from './tally.ts';

/** A node takes at most this part of a rate ahead: what it holds and does not use, others cannot. */
const mostAhead = 0.1;

/**
 * How much each key may do in a time. What is allowed is taken from the tally in lots, as large as what the key has
 * used here so far: so few askings wait for Redis, and a key that is spread over many nodes loses no more than it
 * has used. Whoever has used up everything is refused without asking.
 */
export class Allowance {
  readonly #tally: Tally;
  readonly #perMs: number;
  readonly #most: number;
  readonly #mostAhead: number;
  #windows = new Map<string, Window>();

  constructor({ tally, rate }: AllowanceOptions) {
    this.#tally = tally;
    this.#perMs = rate.perMs;
    this.#most = rate.count;
    this.#mostAhead = Math.max(1, Math.floor(rate.count * mostAhead));
  }

  /** Null when it is allowed, otherwise the milliseconds after which it would be. Who asks first is answered first. */
  async take(key: string): Promise<number | null> {
    for (;;) {
      const window = this.#windowOf(key);
      if (window.left > 0) {
        window.left -= 1;
        return null;
      }
      if (window.isSpent) {
        window.refused += 1;
        return Math.max(1, Math.ceil(window.endsAt - performance.now()));
      }
      window.waiting += 1;
      window.asking ??= this.#ask(key, window).finally(() => {
        window.asking = undefined;
      });
      await window.asking;
      window.waiting -= 1;
    }
  }

  /** Whether it has been refused as often as it is allowed: nobody does that who reads the answers. */
  isFlooded(key: string): boolean {
    return (this.#windows.get(key)?.refused ?? 0) > this.#most;
  }

  /** It was not used after all. */
  giveBack(key: string): void {
    const window = this.#windows.get(key);
    if (window) window.left += 1;
  }

  async #ask(key: string, window: Window): Promise<void> {
    const count = Math.max(1, window.waiting, Math.min(window.used, this.#mostAhead));
    const { granted, endsInMs } = await this.#tally.reserve(key, count);
    // Something may have been given back meanwhile.
    window.left += granted;
    window.used += granted;
    window.isSpent = granted < count;
    // Whoever counts has a clock that may be set back meanwhile.
    window.endsAt = performance.now() + Math.min(endsInMs, this.#perMs);
  }

  #windowOf(key: string): Window {
    const now = performance.now();
    for (const [old, { endsAt, asking }] of this.#windows) {
      if (endsAt > now || asking) break;
      this.#windows.delete(old);
    }
    let window = this.#windows.get(key);
    if (!window || (window.endsAt <= now && !window.asking)) {
      window = {
        left: 0,
        used: 0,
        isSpent: false,
        refused: 0,
        waiting: 0,
        endsAt: now + this.#perMs,
        asking: undefined,
      };
      this.#windows.delete(key);
      this.#windows.set(key, window);
    }
    return window;
  }
}

/** What a key may still do on this node. */
interface Window {
  left: number;
  /** What has been taken from the tally for this window. */
  used: number;
  /** The tally has nothing more. */
  isSpent: boolean;
  /** How often on this node. */
  refused: number;
  waiting: number;
  endsAt: number;
  asking: Promise<void> | undefined;
}

interface AllowanceOptions {
  readonly tally: Tally;
  readonly rate: { readonly count: number; readonly perMs: number };
}
