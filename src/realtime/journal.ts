import type { JournalEvent } from './event.ts';
import { nextTurn } from './turns.ts';

/** What can be read back. */
export interface Journal {
  readonly epoch: string;
  /** The newest position, and the ids of events that are committed and have none yet: of one snapshot. */
  now(): Promise<Now>;
  /** The next events of some topics. */
  read(topics: readonly string[], after: number, limit: number): Promise<JournalPage>;
  /** The next events of all topics. */
  stretch(after: number, limit: number): Promise<JournalPage>;
}

export interface Now {
  readonly head: number;
  readonly pending: ReadonlySet<string>;
  /** The time of the snapshot by the database's clock, in milliseconds since 1970. */
  readonly at: number;
}

export interface Run {
  readonly events: readonly JournalEvent[];
  /** Everything at or below has been read. */
  readonly upTo: number;
}

/** What is read of some topics, or of all. */
export interface JournalPage extends Run {
  /** From positions below, something may be missing. */
  readonly floor: number;
}

/** What one subscriber is given of it. */
export interface Page extends Run {
  /** True when the journal no longer holds all of what was asked for. */
  readonly gap: boolean;
}

/**
 * Reads that are shared: of the same topics one is made at a time, from the earliest position that is asked for
 * meanwhile. A thousand who resume from a thousand positions share a few.
 */
export class SharedReads {
  readonly #read: (topics: readonly string[], after: number) => Promise<JournalPage>;
  #lines = new Map<string, Line>();

  constructor(read: (topics: readonly string[], after: number) => Promise<JournalPage>) {
    this.#read = read;
  }

  async page(topics: readonly string[], after: number): Promise<SharedPage> {
    for (;;) {
      const gathering = this.#join(topics, after);
      const { events, upTo, floor } = await gathering.run;
      // It may end before it comes to who asked from further on.
      if (upTo <= after && gathering.after < after) continue;
      const behind = events.filter(({ position }) => position > after);
      return { events: behind, shared: events, upTo, gap: after < floor };
    }
  }

  #join(topics: readonly string[], after: number): Gathering {
    const key = topics.join(' ');
    const line = this.#lines.get(key) ?? { last: Promise.resolve(), gathering: null };
    this.#lines.set(key, line);
    if (line.gathering) line.gathering.after = Math.min(line.gathering.after, after);
    else {
      const gathering: Gathering = { after, run: this.#run(topics, line) };
      line.gathering = gathering;
      line.last = gathering.run
        .catch(() => {})
        .then(() => {
          if (line.gathering === null) this.#lines.delete(key);
        });
    }
    return line.gathering!;
  }

  /** Waits for the read before it, and gathers until then. */
  async #run(topics: readonly string[], line: Line): Promise<JournalPage> {
    await line.last;
    await nextTurn('catching up');
    const { after } = line.gathering!;
    line.gathering = null;
    return this.#read(topics, after);
  }
}

/** A page as it was read for several, and what one of them is given of it. */
interface SharedPage extends Page {
  readonly shared: readonly JournalEvent[];
}

/** The reads of the same topics, one behind the other. */
interface Line {
  last: Promise<unknown>;
  /** The one that has not begun. */
  gathering: Gathering | null;
}

interface Gathering {
  /** The earliest position that is asked for. */
  after: number;
  readonly run: Promise<JournalPage>;
}
