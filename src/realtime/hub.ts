import { addressOf, type Bus, type BusMessage, controlTopic, type Listening } from './bus.ts';
import type { ControlMessage, JournalEvent, Whisper } from './event.ts';
import { Feed } from './feed.ts';
import { type Journal, type JournalPage, type Now, type Page, SharedReads } from './journal.ts';
import { nextTurn } from './turns.ts';

/** Is told when something happens in the topics that it is attached to. */
export interface Watcher {
  /** May come before its turn, that is above the watermark; and again, when it changes rights. */
  arrived(event: JournalEvent): void;
  whispered(whisper: Whisper): void;
  /** Another epoch has begun: what lay above is gone, and others may come in its place. */
  renewed(until: number): void;
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
  /** After this long a topic is followed by the journal alone, until the bus listens. @default 200 */
  readonly listenMs: number;
}

const usualTiming: HubTiming = { missingMs: 100, silenceMs: 1_500, pollMs: 250, listenMs: 200 };
const pageSize = 200;
const feedCapacity = 128;

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
  readonly #timing: HubTiming;
  #topics = new Map<string, Topic>();
  #awaiting = new Set<Watcher>();
  #control: Listening | undefined;
  #timer: NodeJS.Timeout | undefined;
  #heardAt = 0;
  /** The newest position that was told of. */
  #known = 0;
  #following: Promise<void> | undefined;
  /** The reading of the present that is under way, and the one that has not begun. */
  #reading: Promise<unknown> = Promise.resolve();
  #gathering: Promise<Now> | null = null;
  #isClosed = false;
  readonly #reads: SharedReads;

  constructor({ bus, journal, failed, timing = usualTiming }: HubOptions) {
    this.#timing = timing;
    this.#bus = bus;
    this.#journal = journal;
    this.#reads = new SharedReads((topics, after) => this.#readBack(topics, after));
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
    for (const [name, { bus, watchers }] of [...this.#topics]) {
      bus.stop();
      this.#listen(name, watchers);
      for (const watcher of [...watchers.keys()]) watcher.renewed(until);
    }
  }

  attach(topics: readonly string[], watcher: Watcher): void {
    for (const topic of topics) {
      const { watchers } = this.#topics.get(topic) ?? this.#listen(topic);
      watchers.set(watcher, (watchers.get(watcher) ?? 0) + 1);
    }
  }

  detach(topics: readonly string[], watcher: Watcher): void {
    for (const topic of topics) {
      const known = this.#topics.get(topic);
      const count = known?.watchers.get(watcher);
      if (!known || !count) continue;
      if (count > 1) known.watchers.set(watcher, count - 1);
      else known.watchers.delete(watcher);
      if (known.watchers.size > 0) continue;
      this.#topics.delete(topic);
      known.bus.stop();
    }
  }

  /**
   * What the feeds hold behind a position and up to the watermark, oldest first; null when one does not reach
   * back that far. What came by several topics is there once, by the first of them. What is held back until the
   * watermark has moved, the watcher will be told of.
   */
  after(topics: readonly string[], position: number, watcher: Watcher): readonly JournalEvent[] | null {
    if (topics.length === 1) {
      const events = this.#topics.get(topics[0]!)?.feed.after(position);
      return events ? this.#upToWatermark(events, watcher) : null;
    }
    const merged = new Map<number, JournalEvent>();
    for (const topic of topics) {
      const events = this.#topics.get(topic)?.feed.after(position);
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
    const now = this.#reading.then(nextTurn).then(() => {
      this.#gathering = null;
      return this.#journal.now();
    });
    this.#reading = now.catch(() => {});
    this.#gathering = now;
    return now;
  }

  /** A page of the journal up to the watermark; who asks for the same at once shares it. */
  async read(topics: readonly string[], after: number, watcher: Watcher): Promise<Page> {
    const { events, upTo, gap } = await this.#reads.page(topics, after);
    return { events: this.#upToWatermark(events, watcher), upTo: Math.min(upTo, this.watermark), gap };
  }

  async #readBack(topics: readonly string[], after: number): Promise<JournalPage> {
    const [{ epoch }, feed] = [this, this.#topics.get(topics[0]!)?.feed];
    const page = await this.#journal.read(topics, after, pageSize);
    if (topics.length === 1 && epoch === this.epoch) feed?.extend(after, page);
    return page;
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

  #listen(name: string, watchers: Topic['watchers'] = new Map()): Topic {
    const bus = this.#bus.listen(addressOf(this.epoch, name), (message) => this.#heard(message));
    const topic: Topic = { feed: new Feed(feedCapacity), watchers, bus };
    this.#topics.set(name, topic);
    void this.#open(name, topic);
    return topic;
  }

  /** Listens first and reads the head after, so that nothing can fall between the two. */
  async #open(name: string, topic: Topic): Promise<void> {
    await Promise.race([topic.bus.listening, wait(this.#timing.listenMs)]);
    while (this.#topics.get(name) === topic) {
      try {
        topic.feed.open((await this.now()).head);
        for (const watcher of topic.watchers.keys()) watcher.advanced();
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
      for (const watcher of this.#topics.get(message.topic)?.watchers.keys() ?? [])
        watcher.whispered(message);
    }
  }

  #accept(event: JournalEvent): void {
    const topic = this.#topics.get(event.topic);
    // What changes rights is told also when it was missed and is read late.
    if (!topic || (!topic.feed.append(event) && !event.control)) return;
    for (const watcher of topic.watchers.keys()) watcher.arrived(event);
  }

  #told(message: ControlMessage): void {
    // What was held up on the way is no sign of life.
    if (message.to < this.watermark) return;
    this.#heardAt = performance.now();
    if (message.to === this.watermark) return;
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
      if (!feed || feed.from === Number.POSITIVE_INFINITY) continue;
      // What a hole has swallowed may have changed rights: it is read before the watermark passes it.
      if (feed.last < topics[topic]! || feed.holedAt > this.watermark) return false;
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
      const { events, upTo } = await this.#journal.stretch(from, pageSize);
      if (epoch !== this.epoch) return;
      for (const event of events) this.#accept(event);
      this.#advance(upTo);
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
  readonly timing?: HubTiming;
}

interface Topic {
  readonly feed: Feed;
  /** How many times each is attached. */
  readonly watchers: Map<Watcher, number>;
  readonly bus: Listening;
}

const wait = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
