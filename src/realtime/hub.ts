import { type Bus, type BusMessage, controlTopic } from './bus.ts';
import type { ControlMessage, JournalEvent } from './event.ts';
import { Feed } from './feed.ts';

/** What can be read back. */
export interface Journal {
  readonly epoch: string;
  /** The newest position, and the ids of events that are committed and have none yet: of one snapshot. */
  now(): Promise<Now>;
  /** The next events of some topics. */
  read(topics: readonly string[], after: number, limit: number): Promise<Page>;
  /** The next events of all topics. */
  stretch(after: number, limit: number): Promise<Page>;
}

export interface Now {
  readonly head: number;
  readonly pending: ReadonlySet<string>;
  /** The time of the snapshot by the database's clock, in milliseconds since 1970. */
  readonly at: number;
}

export interface Page {
  readonly events: readonly JournalEvent[];
  /** Everything at or below has been read. */
  readonly upTo: number;
  /** True when the journal no longer holds all of what was asked for. */
  readonly gap: boolean;
}

/** Is told when something happens in the topics that it is attached to. */
export interface Watcher {
  arrived(event: JournalEvent): void;
  /** The watermark moved. Told to those who asked by `awaitWatermark`. */
  advanced(): void;
}

/** What the hub waits for, in milliseconds. */
export interface HubTiming {
  /** What the bus has not brought after this long is read from the journal. @default 100 */
  readonly missingMs: number;
  /** After this long without a control message the journal is polled. @default 1_500 */
  readonly silenceMs: number;
  /** How often it is polled then. @default 250 */
  readonly pollMs: number;
}

const usualTiming: HubTiming = { missingMs: 100, silenceMs: 1_500, pollMs: 250 };
const pageSize = 200;
const feedCapacity = 128;

/**
 * Topic → watchers on this node, over one bus subscription and one feed per topic.
 *
 * The watermark is the position up to which this node has everything of the topics it listens to. Control
 * messages move it; what they name and the bus did not bring, a gap between them, or their silence, are all
 * mended in one way: the stretch behind the watermark is read from the journal.
 */
export class Hub {
  watermark = 0;
  readonly #bus: Bus;
  readonly #journal: Journal;
  readonly #failed: (error: unknown) => void;
  readonly #timing: HubTiming;
  #topics = new Map<string, Listening>();
  #awaiting = new Set<Watcher>();
  #stopControl: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #heardAt = 0;
  /** The newest position that was told of. */
  #known = 0;
  #following: Promise<void> | undefined;
  #now: Promise<Now> | undefined;
  #reads = new Map<string, Promise<Page>>();

  constructor({ bus, journal, failed, timing = usualTiming }: HubOptions) {
    this.#timing = timing;
    this.#bus = bus;
    this.#journal = journal;
    this.#failed = failed;
  }

  get epoch(): string {
    return this.#journal.epoch;
  }

  /** How many topics this node listens to. */
  get size(): number {
    return this.#topics.size;
  }

  async start(): Promise<void> {
    this.#stopControl = await this.#bus.listen(controlTopic, (message) =>
      this.#told(message as ControlMessage),
    );
    this.watermark = (await this.#journal.now()).head;
    this.#timer = setInterval(() => {
      if (performance.now() - this.#heardAt > this.#timing.silenceMs) void this.#follow();
    }, this.#timing.pollMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopControl?.();
    await this.#following;
  }

  attach(topics: readonly string[], watcher: Watcher): void {
    for (const topic of topics) {
      const listening = this.#topics.get(topic) ?? this.#listen(topic);
      listening.watchers.set(watcher, (listening.watchers.get(watcher) ?? 0) + 1);
    }
  }

  detach(topics: readonly string[], watcher: Watcher): void {
    for (const topic of topics) {
      const listening = this.#topics.get(topic);
      const count = listening?.watchers.get(watcher);
      if (!listening || !count) continue;
      if (count > 1) listening.watchers.set(watcher, count - 1);
      else listening.watchers.delete(watcher);
      if (listening.watchers.size > 0) continue;
      this.#topics.delete(topic);
      listening.stop();
    }
  }

  /**
   * What the feeds hold behind a position, oldest first; null when one does not reach back that far.
   * One topic's events are contiguous by their `prev`; several topics are only in order up to the watermark.
   * What came by several topics is there once, by the first of them. What is held back until the watermark has
   * moved, the watcher will be told of.
   */
  after(topics: readonly string[], position: number, watcher: Watcher): readonly JournalEvent[] | null {
    if (topics.length === 1) return this.#topics.get(topics[0]!)?.feed.after(position) ?? null;
    const merged = new Map<number, JournalEvent>();
    for (const topic of topics) {
      const events = this.#topics.get(topic)?.feed.after(position);
      if (!events) return null;
      for (const event of events) {
        if (event.position > this.watermark) this.#awaiting.add(watcher);
        else if (!merged.has(event.position)) merged.set(event.position, event);
      }
    }
    return [...merged.values()].sort((one, other) => one.position - other.position);
  }

  /** Has `watcher.advanced` called once, when the watermark next moves. */
  awaitWatermark(watcher: Watcher): void {
    this.#awaiting.add(watcher);
  }

  /** The journal's present. Asked together, it is read once. */
  now(): Promise<Now> {
    this.#now ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        this.#now = undefined;
        this.#journal.now().then(resolve, reject);
      });
    });
    return this.#now;
  }

  /** A page of the journal. The same topics behind the same position, asked at once, are read once. */
  read(topics: readonly string[], after: number): Promise<Page> {
    const key = `${after} ${topics.join(' ')}`;
    const running = this.#reads.get(key);
    if (running) return running;
    const page = this.#journal.read(topics, after, pageSize).finally(() => this.#reads.delete(key));
    this.#reads.set(key, page);
    return page;
  }

  #listen(topic: string): Listening {
    const listening: Listening = { feed: new Feed(feedCapacity), watchers: new Map(), stop: () => {} };
    this.#topics.set(topic, listening);
    void this.#open(topic, listening);
    return listening;
  }

  /** Listens first and reads the head after, so that nothing can fall between the two. */
  async #open(topic: string, listening: Listening): Promise<void> {
    const stop = await this.#bus.listen(topic, (message) => this.#accept(message));
    listening.stop = stop;
    for (;;) {
      if (this.#topics.get(topic) !== listening) return stop();
      try {
        listening.feed.open((await this.now()).head);
        for (const watcher of listening.watchers.keys()) watcher.advanced();
        return;
      } catch (error) {
        // Without the feed its subscribers still follow the journal.
        this.#failed(error);
        await new Promise((resolve) => setTimeout(resolve, this.#timing.pollMs));
      }
    }
  }

  #accept(message: BusMessage): void {
    const event = message as JournalEvent;
    const listening = this.#topics.get(event.topic);
    if (!listening?.feed.append(event)) return;
    for (const watcher of listening.watchers.keys()) watcher.arrived(event);
  }

  #told(message: ControlMessage): void {
    if (message.epoch !== this.epoch) return;
    this.#heardAt = performance.now();
    if (message.to <= this.watermark) return;
    this.#known = Math.max(this.#known, message.to);
    if (message.from > this.watermark) void this.#follow();
    else if (this.#hasAll(message)) this.#advance(message.to);
    else setTimeout(() => this.#settle(message), this.#timing.missingMs);
  }

  /** What was missing has come by now, or is read. */
  #settle(message: ControlMessage): void {
    if (message.to <= this.watermark) return;
    if (message.from <= this.watermark && this.#hasAll(message)) this.#advance(message.to);
    else void this.#follow();
  }

  #hasAll({ topics }: ControlMessage): boolean {
    for (const topic in topics) {
      const feed = this.#topics.get(topic)?.feed;
      if (feed && feed.from !== Number.POSITIVE_INFINITY && feed.last < topics[topic]!) return false;
    }
    return true;
  }

  #advance(to: number): void {
    if (to <= this.watermark) return;
    this.watermark = to;
    const awaiting = this.#awaiting;
    this.#awaiting = new Set();
    for (const watcher of awaiting) watcher.advanced();
  }

  /** Reads what the stretch behind the watermark held, as if the bus had brought it. */
  #follow(): Promise<void> {
    this.#following ??= this.#readOn()
      .catch(this.#failed)
      .finally(() => {
        this.#following = undefined;
      });
    return this.#following;
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const { events, upTo } = await this.#journal.stretch(this.watermark, pageSize);
      for (const event of events) this.#accept(event);
      this.#advance(upTo);
      // What has been told of meanwhile is read as well.
      if (events.length < pageSize && upTo >= this.#known) return;
    }
  }
}

interface HubOptions {
  readonly bus: Bus;
  readonly journal: Journal;
  /** The database or the bus did not answer. */
  failed(error: unknown): void;
  readonly timing?: HubTiming;
}

interface Listening {
  readonly feed: Feed;
  /** How many times each is attached. */
  readonly watchers: Map<Watcher, number>;
  stop: () => void;
}
