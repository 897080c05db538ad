import type { Rate } from '../config.ts';

/** Who sends more than so many times the rate is not read on. */
const patience = 2;

/** How fast one socket sends. Counted in windows on this node alone: nothing is asked, and nothing is kept. */
export class Pace {
  readonly #rate: Rate;
  #count = 0;
  #endsAt = 0;

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** One more message. */
  count(): void {
    const now = performance.now();
    if (now >= this.#endsAt) {
      this.#count = 0;
      this.#endsAt = now + this.#rate.perMs;
    }
    this.#count += 1;
  }

  /** Milliseconds until the rate is kept again; null while it is. */
  get overMs(): number | null {
    return this.#count > this.#rate.count ? this.#restMs : null;
  }

  /** The same for who went on although they were told. */
  get floodMs(): number | null {
    return this.#count > this.#rate.count * patience ? this.#restMs : null;
  }

  get #restMs(): number {
    return Math.max(1, Math.ceil(this.#endsAt - performance.now()));
  }
}
