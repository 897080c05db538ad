import { addressOf, type Bus, type BusMessage, controlTopic, type Listening } from './bus.ts';
import type { ControlMessage, JournalEvent } from './event.ts';
import { PageIndex, readName, type ValuesOf } from './facet.ts';
import { type Journal, type JournalPage, type Now, type Page, SharedReads } from './journal.ts';
import { Topic } from './topic.ts';
import { received } from './traced.ts';
import { type Tracer, untraced } from './tracer.ts';
import { nextTurn } from './turns.ts';
import type { Watcher } from './watcher.ts';

/** What the hub waits for, in milliseconds. */
export interface HubTiming {
  /** What the bus has not brought after this long is read from the journal. @default 100 */
  readonly missingMs: number;
  /** After this long without a control message the journal is polled. @default 1_500 */
  readonly silenceMs: number;
  /** How often it is polled then. @default 250 */
  readonly pollMs: number;
  /** After this long a topic is followed by the journal alone, until the bus listens. @default 200 */
  readonly listenMs: number;
}

const usualTiming: HubTiming = { missingMs: 100, silenceMs: 1_500, pollMs: 250, listenMs: 200 };
const pageSize = 200;

/**
 * Topic → watchers on this node, over one bus subscription and one feed per topic.
 *
 * The watermark is the position up to which this node has everything of the topics it listens to; nothing
 * above it is handed out. Control messages move it. What they name and the bus did not bring, a gap between
 * them, or their silence, are all mended in one way: the stretch behind the watermark is read from the journal.
 */
export class Hub {
  watermark = 0;
  readonly #bus: Bus;
  readonly #journal: Journal;
  readonly #failed: (error: unknown) => void;
  readonly #tracer: Tracer;
  readonly #timing: HubTiming;
  readonly #valuesOf: ValuesOf;
  readonly #index: PageIndex;
  #topics = new Map<string, Topic>();
  #awaiting = new Set<Watcher>();
  #control: Listening | undefined;
  #timer: NodeJS.Timeout | undefined;
  #heardAt = 0;
  /** When it last had everything that it knew of. */
  #currentAt = performance.now();
  /** The newest position that was told of. */
  #known = 0;
  #following: Promise<void> | undefined;
  /** The reading of the present that is under way, and the one that has not begun. */
  #reading: Promise<unknown> = Promise.resolve();
  #gathering: Promise<Now> | null = null;
  #isClosed = false;
  readonly #reads: SharedReads;

  constructor(options: HubOptions) {
    const { bus, journal, failed, tracer = untraced, timing = usualTiming, valuesOf = () => [] } = options;
    this.#timing = timing;
    this.#bus = bus;
    this.#journal = journal;
    this.#reads = new SharedReads((topics, after) => this.#readBack(topics, after));
    this.#failed = failed;
    this.#tracer = tracer;
    this.#valuesOf = valuesOf;
    this.#index = new PageIndex(valuesOf);
  }

  get epoch(): string {
    return this.#journal.epoch;
  }

  /** How many topics this node listens to. */
  get size(): number {
    return this.#topics.size;
  }

  /** For how long the watermark has not been known to be as far as it can be. */
  get ageMs(): number {
    return performance.now() - this.#currentAt;
  }

  async start(): Promise<void> {
    this.#control ??= this.#listenToControl();
    this.watermark = (await this.#journal.now()).head;
    // What it missed is read at once, and not only when a control message shows it.
    this.#bus.onBack(() => void this.#follow());
    this.#timer = setInterval(() => {
      if (performance.now() - this.#heardAt > this.#timing.silenceMs) void this.#follow();
    }, this.#timing.pollMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#control?.stop();
    await this.#following;
  }

  /** Another epoch has begun, of which this one is a part up to a position: everything is listened to anew. */
  renew(until: number): void {
    this.watermark = this.#known = Math.min(this.watermark, until);
    this.#control?.stop();
    this.#control = this.#listenToControl();
    const topics = [...this.#topics];
    for (const [name, earlier] of topics) {
      earlier.bus.stop();
      this.#listen(name, earlier);
    }
    // Only now: who is told may let go of any of them.
    const watchers = new Set(topics.flatMap(([, { watchers }]) => watchers));
    for (const watcher of watchers) watcher.renewed(until);
  }

  attach(names: readonly string[], watcher: Watcher): void {
    for (const name of names) {
      const { topic, facet } = readName(name);
      (this.#topics.get(topic) ?? this.#listen(topic)).attach(facet, watcher);
    }
  }

  detach(names: readonly string[], watcher: Watcher): void {
    for (const name of names) {
      const { topic, facet } = readName(name);
      const known = this.#topics.get(topic);
      known?.detach(facet, watcher);
      if (!known?.isIdle) continue;
      this.#topics.delete(topic);
      known.bus.stop();
    }
  }

  /**
   * What the feeds hold behind a position and up to the watermark, oldest first; null when one does not reach
   * back that far. What came by several topics is there once, by the first of them. What is held back until the
   * watermark has moved, the watcher will be told of.
   */
  after(names: readonly string[], position: number, watcher: Watcher): readonly JournalEvent[] | null {
    if (names.length === 1) {
      const events = this.#after(names[0]!, position);
      return events && this.#upToWatermark(events, watcher);
    }
    const merged = new Map<number, JournalEvent>();
    for (const name of names) {
      const events = this.#after(name, position);
      if (!events) return null;
      for (const event of this.#upToWatermark(events, watcher)) {
        if (!merged.has(event.position)) merged.set(event.position, event);
      }
    }
    return [...merged.values()].sort((one, other) => one.position - other.position);
  }

  /** Has `watcher.advanced` called once, when the watermark next moves. */
  awaitWatermark(watcher: Watcher): void {
    this.#awaiting.add(watcher);
  }

  /** The journal's present. It is read once at a time: who asks meanwhile shares the next reading. */
  now(): Promise<Now> {
    if (this.#gathering) return this.#gathering;
    const now = this.#reading
      .then(() => nextTurn('catching up'))
      .then(() => {
        this.#gathering = null;
        return this.#journal.now();
      });
    this.#reading = now.catch(() => {});
    this.#gathering = now;
    return now;
  }

  /** A page of the journal up to the watermark; who asks for the same topics at once shares it. */
  async read(names: readonly string[], after: number, watcher: Watcher): Promise<Page> {
    const topics = [...new Set(names.map((name) => readName(name).topic))];
    const { events, shared, upTo, gap } = await this.#reads.page(topics, after);
    const known = this.#upToWatermark(events, watcher);
    return { events: this.#index.select(known, shared, names), upTo: Math.min(upTo, this.watermark), gap };
  }

  async #readBack(topics: readonly string[], after: number): Promise<JournalPage> {
    const [{ epoch }, feed] = [this, this.#topics.get(topics[0]!)?.feed];
    const page = await this.#journal.read(topics, after, pageSize);
    if (topics.length === 1 && epoch === this.epoch) feed?.extend(after, page);
    return page;
  }

  #after(name: string, position: number): readonly JournalEvent[] | null {
    const { topic, facet } = readName(name);
    return this.#topics.get(topic)?.after(facet, position) ?? null;
  }

  #upToWatermark(events: readonly JournalEvent[], watcher: Watcher): readonly JournalEvent[] {
    if (events.length === 0 || events.at(-1)!.position <= this.watermark) return events;
    this.#awaiting.add(watcher);
    return events.filter(({ position }) => position <= this.watermark);
  }

  #listenToControl(): Listening {
    const address = addressOf(this.epoch, controlTopic);
    return this.#bus.listen(address, (message) => this.#told(message as ControlMessage));
  }

  /** Whoever watched an earlier life of the topic watches this one. */
  #listen(name: string, earlier?: Topic): Topic {
    const bus = this.#bus.listen(addressOf(this.epoch, name), (message) => this.#heard(message));
    const topic = new Topic(bus, this.#valuesOf);
    if (earlier) topic.inherit(earlier);
    this.#topics.set(name, topic);
    void this.#open(name, topic);
    return topic;
  }

  /** Listens first and reads the head after, so that nothing can fall between the two. */
  async #open(name: string, topic: Topic): Promise<void> {
    await Promise.race([topic.bus.listening, wait(this.#timing.listenMs)]);
    while (this.#topics.get(name) === topic) {
      try {
        const { head } = await this.now();
        // What the watermark passed meanwhile, it passed without waiting for this topic.
        topic.open(Math.max(head, this.watermark));
        for (const watcher of topic.watchers) watcher.advanced();
        return;
      } catch (error) {
        // Without the feed its subscribers still follow the journal.
        this.#failed(error);
        await wait(this.#timing.pollMs);
      }
    }
  }

  #heard(message: BusMessage): void {
    if ('position' in message) this.#accept(message);
    else if ('topic' in message) {
      for (const watcher of this.#topics.get(message.topic)?.watchers ?? []) watcher.whispered(message);
    }
  }

  #accept(event: JournalEvent): void {
    const topic = this.#topics.get(event.topic);
    const isTraced = event.trace && topic && event.position > topic.feed.last;
    topic?.accept(isTraced ? received(this.#tracer, event) : event);
  }

  #told(message: ControlMessage): void {
    const { epoch } = this;
    // What was held up on the way is no sign of life.
    if (message.to < this.watermark) return;
    this.#heardAt = performance.now();
    if (message.to === this.watermark) this.#currentAt = this.#heardAt;
    if (message.to === this.watermark) return;
    this.#known = Math.max(this.#known, message.to);
    if (message.from > this.watermark) void this.#follow();
    else if (this.#hasAll(message)) this.#advance(message.to);
    else setTimeout(() => this.#settle(message, epoch), this.#timing.missingMs);
  }

  /** What was missing has come by now, or is read. */
  #settle(message: ControlMessage, epoch: string): void {
    if (message.to <= this.watermark || epoch !== this.epoch) return;
    if (message.from <= this.watermark && this.#hasAll(message)) this.#advance(message.to);
    else void this.#follow();
  }

  #hasAll({ topics }: ControlMessage): boolean {
    for (const topic in topics) {
      const feed = this.#topics.get(topic)?.feed;
      if (!feed || feed.from === Number.POSITIVE_INFINITY) continue;
      // What a hole has swallowed may have changed rights: it is read before the watermark passes it.
      if (feed.last < topics[topic]! || feed.holedAt > this.watermark) return false;
    }
    return true;
  }

  #advance(to: number): void {
    this.#currentAt = performance.now();
    if (to <= this.watermark) return;
    this.watermark = to;
    const awaiting = this.#awaiting;
    this.#awaiting = new Set();
    for (const watcher of awaiting) watcher.advanced();
  }

  /** It came too late for some of it: by the journal's chains each subscriber finds out whether that was its own. */
  #cut(floor: number): void {
    for (const { feed, watchers } of this.#topics.values()) {
      feed.cut(floor);
      for (const watcher of watchers) watcher.advanced();
    }
  }

  /** Reads what the stretch behind the watermark held, as if the bus had brought it. */
  #follow(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#following ??= this.#readOn()
      .catch(this.#failed)
      .finally(() => {
        this.#following = undefined;
      });
    return this.#following;
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const [from, epoch] = [this.watermark, this.epoch];
      const { events, upTo, floor } = await this.#journal.stretch(from, pageSize);
      if (epoch !== this.epoch) return;
      for (const event of events) this.#accept(event);
      this.#advance(upTo);
      if (from < floor) this.#cut(floor);
      // What has been told of meanwhile is read as well; what is not there is not waited for here.
      if (upTo === from || (events.length < pageSize && upTo >= this.#known)) return;
    }
  }
}

interface HubOptions {
  readonly bus: Bus;
  readonly journal: Journal;
  /** The database or the bus did not answer. */
  failed(error: unknown): void;
  readonly tracer?: Tracer;
  readonly timing?: HubTiming;
  /** What parts of topics are made by. */
  readonly valuesOf?: ValuesOf;
}

const wait = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
