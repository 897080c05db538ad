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

/** An event that came. */
export interface Told {
  /** Of its row. */
  readonly id: string;
  /** One text for one state of the row; null where several events may show the same. */
  readonly state: string | null;
  readonly position: string | null;
}

/** The newest page of a list. */
interface Known {
  readonly ids: ReadonlySet<string>;
  /** Null where it is the whole list. */
  readonly oldest: string | null;
}

/** One subscription, and the list that it should be the continuation of. */
export interface Stream {
  readonly read: ReadIds;
  /** What was there when it was last compared; null until the list has been read. */
  known: Known | null;
  /** Rows that came and are not known. */
  received: Set<string>;
  /** Positions and states of the newest events. */
  readonly seen: Set<string>;
  readonly missed: Set<string>;
}

/** An event that the list has already may still be on its way. */
const usualPatienceMs = 3_000;
/** What is further back than so many is not compared. */
const mostPages = 50;
/** So many are remembered of a subscription, however long the page is open. */
const usualMost = 10_000;

/** Measures whether anything is missing or double: what came, against what the server has. */
export class Ledger {
  readonly #streams = new Set<Stream>();
  readonly #listeners = new Set<() => void>();
  #tally: Tally = { received: 0, missed: 0, repeated: 0, position: null, checkedAt: null };
  /** Of streams that have ended. */
  #missedBefore = 0;
  #auditing: Promise<void> | null = null;
  readonly #patienceMs: number;
  readonly #most: number;

  constructor({ patienceMs = usualPatienceMs, most = usualMost } = {}) {
    this.#patienceMs = patienceMs;
    this.#most = most;
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
      ...{ read, known: null },
      ...{ received: new Set(), seen: new Set(), missed: new Set() },
    };
    this.#streams.add(stream);
    // Offline, the next audit begins it.
    void begin(stream).catch(() => {});
    return stream;
  }

  /** The subscription has ended: what comes later is not for it to tell. */
  close(stream: Stream): void {
    if (this.#streams.delete(stream)) this.#missedBefore += stream.missed.size;
  }

  note(stream: Stream, { id, state, position }: Told): void {
    const marks = [...(position === null ? [] : [position]), ...(state === null ? [] : [`${id} ${state}`])];
    const isRepeated = marks.some((mark) => stream.seen.has(mark));
    for (const mark of marks) stream.seen.add(mark);
    forget(stream.seen, 2 * this.#most);
    if (stream.received.size >= this.#most) {
      // It cannot be compared for long: the next audit begins it anew.
      stream.known = null;
      stream.received.clear();
    }
    stream.received.add(id);
    // Late, and not lost.
    stream.missed.delete(id);
    this.#update({
      received: this.#tally.received + 1,
      repeated: this.#tally.repeated + (isRepeated ? 1 : 0),
      ...(position ? { position } : {}),
    });
  }

  /**
   * Compares with the server, and looks once more for what is not there yet. Rejects without a connection.
   *
   * @param line what stands for the connection: who was cut off meanwhile has not had the time to be told
   */
  audit(line: () => unknown = () => null): Promise<void> {
    this.#auditing ??= this.#audit(line).finally(() => {
      this.#auditing = null;
    });
    return this.#auditing;
  }

  async #audit(line: () => unknown): Promise<void> {
    const before = line();
    const looks = await Promise.all([...this.#streams].map(lookAt));
    const isPatient = looks.some(({ stream, newer }) => newer.some((id) => !stream.received.has(id)));
    if (isPatient) await new Promise((resolve) => setTimeout(resolve, this.#patienceMs));
    if (line() !== before) return;
    for (const { stream, newer, known } of looks) {
      // Begun anew meanwhile, or ended.
      if (!stream.known || !this.#streams.has(stream)) continue;
      for (const id of newer) if (!stream.received.has(id)) stream.missed.add(id);
      stream.known = known;
      stream.received = new Set([...stream.received].filter((id) => isNewer(known, id)));
    }
    this.#update({ checkedAt: Date.now() });
  }

  #update(change: Partial<Tally>): void {
    const missed = [...this.#streams].reduce((sum, stream) => sum + stream.missed.size, this.#missedBefore);
    this.#tally = { ...this.#tally, ...change, missed };
    for (const listener of this.#listeners) listener();
  }
}

/** Ids sort by the time they were made at, as their lists do. */
const isNewer = ({ ids, oldest }: Known, id: string) => !ids.has(id) && (oldest === null || id > oldest);

interface Look {
  readonly stream: Stream;
  /** What the list has beside what was known. */
  readonly newer: readonly string[];
  readonly known: Known;
}

async function begin(stream: Stream): Promise<Look> {
  const known = knownOf(await stream.read(null));
  stream.known ??= known;
  return { stream, newer: [], known };
}

async function lookAt(stream: Stream): Promise<Look> {
  const before = stream.known;
  if (!before) return begin(stream);
  const newer: string[] = [];
  let page = await stream.read(null);
  const known = knownOf(page);
  for (let pages = 1; ; pages += 1) {
    const found = page.ids.filter((id) => isNewer(before, id));
    newer.push(...found);
    if (page.before === null || found.length < page.ids.length || pages === mostPages) break;
    page = await stream.read(page.before);
  }
  return { stream, newer, known };
}

function knownOf({ ids, before }: Awaited<ReturnType<ReadIds>>): Known {
  return { ids: new Set(ids), oldest: before === null ? null : (ids.at(-1) ?? null) };
}

/** The oldest ones go first. */
function forget(seen: Set<string>, most: number): void {
  for (const mark of seen) {
    if (seen.size <= most) return;
    seen.delete(mark);
  }
}
