import type { JournalEvent, Whisper } from './event.ts';
import type { Meter } from './meter.ts';
import { type Tracer, untraced } from './tracer.ts';

/** One event as those are shown it who ask for the same. */
export interface Rendered {
  /** The execution result as JSON. */
  readonly payload: string;
  /** The event's position as clients are given it; null for what is told in passing. */
  readonly position: string | null;
  /** As each wire sends it, made by the first connection that does. */
  readonly bytes: Record<string, Buffer>;
  /** The making of it, where the event is traced. */
  readonly trace?: string | null;
}

/** So many are kept for those who are told the same in this moment. */
const fewest = 8;
/** So many while somebody is behind, and a while after: about a page of the journal. */
const most = 256;
const whileMs = 5_000;

/** What is executed and serialised once for all who ask for the same. */
export class Renderings {
  readonly #render: (event: JournalEvent | Whisper) => Rendered | Promise<Rendered>;
  readonly #meter: Meter;
  readonly #tracer: Tracer;
  #kept = new Map<JournalEvent | Whisper, Rendered | Promise<Rendered>>();
  #behind = 0;
  #trimming: NodeJS.Timeout | undefined;

  constructor({ render, meter, tracer = untraced }: RenderingsOptions) {
    this.#render = render;
    this.#meter = meter;
    this.#tracer = tracer;
  }

  of(event: JournalEvent | Whisper): Rendered | Promise<Rendered> {
    const known = this.#kept.get(event);
    if (known) return known;
    const rendered = 'trace' in event && event.trace ? this.#follow(event, event.trace) : this.#render(event);
    this.#meter.executed();
    this.#kept.set(event, rendered);
    this.#trim(this.#behind > 0 || this.#trimming ? most : fewest);
    return rendered;
  }

  /** How many more are behind than before. */
  behind(change: number): void {
    this.#behind += change;
    if (this.#behind > 0 || this.#kept.size <= fewest) return;
    // Those who come back at once do not all come in one moment.
    this.#trimming ??= setTimeout(() => {
      this.#trimming = undefined;
      if (this.#behind === 0) this.#trim(fewest);
    }, whileMs).unref();
  }

  clear(): void {
    this.#kept.clear();
  }

  close(): void {
    clearTimeout(this.#trimming);
  }

  #follow(event: JournalEvent, parent: string): Rendered | Promise<Rendered> {
    return this.#tracer.follow({ name: 'execute', parent }, (trace) => {
      const rendered = this.#render(event);
      return rendered instanceof Promise
        ? rendered.then((made) => ({ ...made, trace }))
        : { ...rendered, trace };
    });
  }

  #trim(capacity: number): void {
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
  readonly tracer?: Tracer;
}
