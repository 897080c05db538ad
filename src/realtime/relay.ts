import { addressOf, type Bus, controlTopic, type Hint, hintTopic, type Listening } from './bus.ts';
import type { JournalEvent } from './event.ts';
import type { Meter } from './meter.ts';
import { published } from './traced.ts';
import { type Tracer, untraced } from './tracer.ts';

/** Where events wait, and how they get their positions. All of it is the database's. */
export interface Ledger {
  readonly epoch: string;
  /** Takes the lease if it is free: every earlier holder's fence is void from then on. */
  take(): Promise<Lease | null>;
  /**
   * Moves one batch, of about `limit` events, from outbox to journal, in one autocommitted statement that also
   * renews the lease.
   * Null: the fence is void or the head is not the one named, and nothing was moved.
   */
  move(fence: number, head: number, limit: number): Promise<Batch | null>;
  /** Is anything waiting? Cheaper than an empty batch. */
  waiting(): Promise<boolean>;
  /** Puts the first waiting row, which no batch can move, out of the way with its error. */
  setAside(fence: number, error: unknown): Promise<void>;
  /** Why the statement certainly did not commit: a row in it, or how many there were. Null: not known. */
  faultOf(error: unknown): 'row' | 'size' | null;
  /** The events of (from, to]. */
  between(from: number, to: number): Promise<readonly JournalEvent[]>;
  release(fence: number): Promise<void>;
}

export interface Lease {
  readonly fence: number;
  readonly head: number;
  /** What the last holder is known to have told the bus. */
  readonly published: number;
}

export interface Batch {
  readonly head: number;
  /** More was waiting than was moved. */
  readonly isMore: boolean;
  /** In the order of their positions: one per event and topic. */
  readonly events: readonly JournalEvent[];
}

const batchSize = 1_000;
/** The lease is renewed, and the control topic told that all is well, at least this often. */
const heartbeatMs = 1_000;
/** Who does not hold the lease asks for it this often. */
const standbyMs = 500;
/** So many events are followed by a control message: hubs keep few that they cannot hand out yet. */
const stretchSize = 64;

/**
 * Moves committed events from outbox to journal and tells the bus. One node at a time does.
 *
 *   standby ── took the lease ──► republish (published, head] ──► move · publish · move · publish …
 *      ▲                                                                 │
 *      └──────────── fence is void, or the end of a batch is unknown ────┘
 *
 * A fence that is void moves nothing, so two who both believe to hold the lease do no harm; and publishing
 * late or twice does none, because hubs drop what they have. Who does not lead tells the one who does when
 * something was committed.
 */
export class Relay {
  readonly #ledger: Ledger;
  readonly #bus: Bus;
  readonly #meter: Meter;
  readonly #tracer: Tracer;
  readonly #failed: (error: unknown) => void;
  readonly #led: (isLeading: boolean) => void;
  readonly #pollMs: number;
  readonly #gapMs: number;
  #lease: Lease | null = null;
  #published = 0;
  #limit = batchSize;
  #movedAt = 0;
  #lookedAt = 0;
  #stopped = false;
  #running: Promise<void> | undefined;
  #poke: (() => void) | undefined;
  #poked = false;
  #isPokable = false;
  #hints: Listening | undefined;

  constructor(options: RelayOptions) {
    const { ledger, bus, meter, tracer = untraced, failed, led = () => {}, pollMs, gapMs } = options;
    this.#ledger = ledger;
    this.#bus = bus;
    this.#meter = meter;
    this.#tracer = tracer;
    this.#failed = failed;
    this.#led = led;
    this.#pollMs = pollMs;
    this.#gapMs = gapMs;
  }

  get isLeading(): boolean {
    return this.#lease !== null;
  }

  start(): void {
    this.renew();
    this.#running = this.#run();
  }

  /** Another epoch has begun. */
  renew(): void {
    this.#hints?.stop();
    this.#hints = this.#bus.listen(addressOf(this.#ledger.epoch, hintTopic), (message) => {
      const { released } = message as Hint;
      if (released || this.#lease) this.#wake();
    });
  }

  /** Something was committed to the outbox by this process. */
  committed(): void {
    if (this.#lease) this.#wake();
    else this.#hint({ released: false });
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.#poke?.();
    await this.#running;
    this.#hints?.stop();
  }

  #wake(): void {
    this.#poked = true;
    if (this.#isPokable) this.#poke?.();
  }

  #hint(hint: Hint): void {
    this.#bus.publish(addressOf(this.#ledger.epoch, hintTopic), hint);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        if (this.#lease === null) await this.#takeOver();
        if (this.#lease === null) await this.#rest(standbyMs, true);
        else if (await this.#hasWork()) await this.#step(this.#lease);
        else await this.#rest(this.#pollMs, true);
      } catch (error) {
        // How a batch ended is not known: only a lease taken anew may go on.
        this.#become(null);
        this.#failed(error);
        await this.#rest(standbyMs, false);
      }
    }
    if (!this.#lease) return;
    await this.#ledger.release(this.#lease.fence).catch(this.#failed);
    this.#become(null);
    this.#hint({ released: true });
  }

  async #takeOver(): Promise<void> {
    this.#poked = false;
    const lease = await this.#ledger.take();
    if (lease === null) return;
    for (let from = lease.published; from < lease.head; ) {
      const events = await this.#ledger.between(from, lease.head);
      this.#publish(from, events.at(-1)?.position ?? lease.head, events);
      from = events.at(-1)?.position ?? lease.head;
    }
    this.#published = lease.head;
    this.#movedAt = Number.NEGATIVE_INFINITY;
    this.#become(lease);
  }

  #become(lease: Lease | null): void {
    const isChange = this.isLeading !== (lease !== null);
    this.#lease = lease;
    if (isChange) this.#led(this.isLeading);
  }

  async #hasWork(): Promise<boolean> {
    const now = performance.now();
    const poked = this.#poked;
    this.#poked = false;
    if (poked || now - this.#movedAt > heartbeatMs) return true;
    if (now - this.#lookedAt < this.#pollMs) return false;
    this.#lookedAt = now;
    return this.#ledger.waiting();
  }

  async #step({ fence }: Lease): Promise<void> {
    const soon = this.#movedAt + this.#gapMs - performance.now();
    if (soon > 0) await new Promise((resolve) => setTimeout(resolve, soon));
    const [startedAt, began] = [Date.now(), performance.now()];
    const batch = await this.#move(fence);
    if (batch === undefined) return;
    if (batch === null) {
      this.#become(null);
      return;
    }
    this.#movedAt = performance.now();
    this.#measure(batch, (this.#movedAt - began) / 1_000);
    if (!batch.isMore) this.#lookedAt = this.#movedAt;
    this.#publish(this.#published, batch.head, published(this.#tracer, batch.events, startedAt));
    this.#published = batch.head;
    if (batch.isMore) this.#wake();
    this.#limit = Math.min(batchSize, this.#limit * 2);
  }

  /** Undefined: nothing was moved. Halving finds the row whose fault it was, and alone it is set aside. */
  async #move(fence: number): Promise<Batch | null | undefined> {
    try {
      return await this.#ledger.move(fence, this.#published, this.#limit);
    } catch (error) {
      const fault = this.#ledger.faultOf(error);
      if (fault === null || (fault === 'size' && this.#limit === 1)) throw error;
      if (this.#limit === 1) {
        await this.#ledger.setAside(fence, error);
        this.#meter.setAside();
        this.#failed(error);
      }
      this.#limit = Math.max(1, Math.floor(this.#limit / 2));
      this.#wake();
      return undefined;
    }
  }

  #measure({ events: [oldest] }: Batch, seconds: number): void {
    if (oldest) this.#meter.moved(seconds, (Date.now() - oldest.writtenAt) / 1_000);
  }

  #publish(from: number, to: number, events: readonly JournalEvent[]): void {
    const { epoch } = this.#ledger;
    let topics: Record<string, number> = {};
    let count = 0;
    let told = from;
    const tellUpTo = (end: number) => {
      this.#bus.publish(addressOf(epoch, controlTopic), { from: told, to: end, topics });
      [told, count, topics] = [end, 0, {}];
    };
    for (const event of events) {
      // One event of several topics is not torn apart.
      if (count >= stretchSize && event.position > told + 1) tellUpTo(event.position - 1);
      this.#bus.publish(addressOf(epoch, event.topic), event);
      this.#meter.published(event.kind);
      topics[event.topic] = event.position;
      count += 1;
    }
    tellUpTo(to);
  }

  /** Until the time is over, or somebody pokes where there is something that could be done. */
  #rest(forMs: number, isPokable: boolean): Promise<void> {
    this.#isPokable = isPokable;
    if (this.#stopped || (isPokable && this.#poked)) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(done, forMs);
      this.#poke = done;
      const self = this;
      function done() {
        clearTimeout(timer);
        self.#poke = undefined;
        resolve();
      }
    });
  }
}

interface RelayOptions {
  readonly ledger: Ledger;
  readonly bus: Bus;
  readonly meter: Meter;
  readonly tracer?: Tracer;
  failed(error: unknown): void;
  /** It has begun to lead, or leads no more. */
  led?(isLeading: boolean): void;
  /** How often to look for what other programs wrote. */
  readonly pollMs: number;
  /** The least time between two batches: where each is dear, they are to be large. */
  readonly gapMs: number;
}
