/** What has been counted so far. The same object until something changes. */
export interface Tally {
  /** Events that came over a subscription. */
  readonly received: number;
  /** What the server has and no subscription has told of, though it should have. */
  readonly missed: number;
  /** Events that came again. */
  readonly repeated: number;
  /** Of the newest event; null before the first. */
  readonly position: string | null;
  /** When the lists of the server were last compared with what came, in milliseconds since 1970. */
  readonly checkedAt: number | null;
}

/** Reads a list of the server, newest first, page by page: ids, and where the next page begins. */
export type ReadIds = (before: string | null) => Promise<{ ids: readonly string[]; before: string | null }>;

/** One subscription, and the list that it should be the continuation of. */
export interface Stream {
  readonly read: ReadIds;
  /** What was there when the counting began; null until it has been read. */
  baseline: ReadonlySet<string> | null;
  readonly received: Set<string>;
  readonly states: Set<string>;
  readonly missed: Set<string>;
}

/** An event that the list has already may still be on its way. */
const usualPatienceMs = 3_000;
const mostPages = 20;

/** Measures whether anything is missing or double: what came, against what the server has. */
export class Ledger {
  readonly #streams = new Set<Stream>();
  readonly #listeners = new Set<() => void>();
  #tally: Tally = { received: 0, missed: 0, repeated: 0, position: null, checkedAt: null };
  /** Of streams that have ended. */
  #missedBefore = 0;
  #auditing: Promise<void> | null = null;
  readonly #patienceMs: number;

  constructor(patienceMs = usualPatienceMs) {
    this.#patienceMs = patienceMs;
  }

  get tally(): Tally {
    return this.#tally;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Begins to count: a subscription begins. */
  open(read: ReadIds): Stream {
    const stream: Stream = {
      ...{ read, baseline: null },
      ...{ received: new Set(), states: new Set(), missed: new Set() },
    };
    this.#streams.add(stream);
    void begin(stream);
    return stream;
  }

  /** The subscription has ended: what comes later is not for it to tell. */
  close(stream: Stream): void {
    if (this.#streams.delete(stream)) this.#missedBefore += stream.missed.size;
  }

  /** An event that came. `state`: one text for one event of a row. */
  note(stream: Stream, id: string, state: string, position: string | null): void {
    const key = `${id} ${state}`;
    const isRepeated = stream.states.has(key);
    stream.states.add(key);
    stream.received.add(id);
    // Late, and not lost.
    stream.missed.delete(id);
    this.#update({
      received: this.#tally.received + 1,
      repeated: this.#tally.repeated + (isRepeated ? 1 : 0),
      ...(position ? { position } : {}),
    });
  }

  /** Compares with the server, and looks once more for what is not there yet. Rejects without a connection. */
  audit(): Promise<void> {
    this.#auditing ??= this.#audit().finally(() => {
      this.#auditing = null;
    });
    return this.#auditing;
  }

  async #audit(): Promise<void> {
    const suspects = (await Promise.all([...this.#streams].map(suspectsOf))).flat();
    if (suspects.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, this.#patienceMs));
      for (const [stream, id] of suspects) {
        if (this.#streams.has(stream) && !stream.received.has(id)) stream.missed.add(id);
      }
    }
    const missed = [...this.#streams].reduce((sum, stream) => sum + stream.missed.size, this.#missedBefore);
    this.#update({ missed, checkedAt: Date.now() });
  }

  #update(change: Partial<Tally>): void {
    this.#tally = { ...this.#tally, ...change };
    for (const listener of this.#listeners) listener();
  }
}

async function begin(stream: Stream): Promise<void> {
  try {
    stream.baseline = new Set((await stream.read(null)).ids);
  } catch {
    // Offline: the next audit begins it.
  }
}

/** What the server has and did not come, newer than the beginning. */
async function suspectsOf(stream: Stream): Promise<[Stream, string][]> {
  const { baseline } = stream;
  if (!baseline) {
    await begin(stream);
    return [];
  }
  const found: [Stream, string][] = [];
  let before: string | null = null;
  for (let page = 0; page < mostPages; page += 1) {
    const read: Awaited<ReturnType<ReadIds>> = await stream.read(before);
    const newer = read.ids.filter((id) => !baseline.has(id));
    for (const id of newer) if (!stream.received.has(id)) found.push([stream, id]);
    before = read.before;
    if (before === null || newer.length < read.ids.length) break;
  }
  return found;
}
