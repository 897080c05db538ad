import type { JournalEvent, Whisper } from './event.ts';
import type { Meter } from './meter.ts';

/** One event as those are shown it who ask for the same. */
export interface Rendered {
  /** The execution result as JSON. */
  readonly payload: string;
  /** The event's position as clients are given it; null for what is told in passing. */
  readonly position: string | null;
  /** As each wire sends it, made by the first connection that does. */
  readonly bytes: Record<string, Buffer>;
}

/** So many are kept for those who are told the same in this moment. */
const fewest = 8;
/** So many while somebody is behind: about a page of the journal. */
const most = 256;

/** What is executed and serialised once for all who ask for the same. */
export class Renderings {
  readonly #render: (event: JournalEvent | Whisper) => Rendered | Promise<Rendered>;
  readonly #meter: Meter;
  #kept = new Map<JournalEvent | Whisper, Rendered | Promise<Rendered>>();
  #behind = 0;

  constructor({ render, meter }: RenderingsOptions) {
    this.#render = render;
    this.#meter = meter;
  }

  of(event: JournalEvent | Whisper): Rendered | Promise<Rendered> {
    const known = this.#kept.get(event);
    if (known) return known;
    const rendered = this.#render(event);
    this.#meter.executed();
    this.#kept.set(event, rendered);
    this.#trim();
    return rendered;
  }

  /** How many more are behind than before. */
  behind(change: number): void {
    this.#behind += change;
    this.#trim();
  }

  clear(): void {
    this.#kept.clear();
  }

  #trim(): void {
    const capacity = this.#behind > 0 ? most : fewest;
    for (const event of this.#kept.keys()) {
      if (this.#kept.size <= capacity) return;
      this.#kept.delete(event);
    }
  }
}

interface RenderingsOptions {
  /** Never throws and never rejects: a failure is part of what is shown. */
  render(event: JournalEvent | Whisper): Rendered | Promise<Rendered>;
  readonly meter: Meter;
}
