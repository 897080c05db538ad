import { type JournalEvent, sourceOf } from './event.ts';
import type { Group, Showing } from './group.ts';
import type { Page } from './journal.ts';
import type { Rendered } from './renderings.ts';
import type { SourceOptions } from './source.ts';
import { nextTurn } from './turns.ts';

/** Where one subscription's payloads go: one operation of one connection. */
export interface Sink {
  write(rendered: Rendered): void;
  /** True when so much waits in the connection that no more should be given to it. */
  readonly isFull: boolean;
  /** Resolves when the connection has room again, or is closed. */
  drained(): Promise<void>;
  /** The server ends the subscription. */
  end(reason: EndReason): void;
}

export type EndReason = 'revoked' | 'expired';

/** While the journal cannot be read it is tried again this often. */
const retryMs = 250;
/** How long what was committed before a loss of rights may still be sent. The promise is one second. */
const graceMs = 500;
/** Of so many keys something told in passing is kept for a full connection. */
const mostHeld = 64;

/**
 *                 ┌────────── slow · behind · turn · moved ────────────┐
 *                 ▼                                                    │
 *   start ─► catching up ── stands where the live ones stand ──────► live
 *                 │                                                    │
 *                 └──────────► closed ◄── left · revoked · expired ────┘
 *
 * Catching up it pulls, from the feed or from the journal, at its connection's pace. Live the group pushes.
 * A resume, a full connection, a hole in the topic and an interrupted bus are one case: catching up.
 */
export class Subscriber {
  readonly source: SourceOptions;
  /** It has been sent everything of its topics at or below. */
  position = 0;
  topics: readonly string[] = [];
  /** Where it began. */
  startedAt = 0;
  readonly sink: Sink;
  #group: Group;
  #closed: () => void;
  #state: 'new' | 'catching up' | 'live' | 'closed' = 'new';
  #wake: (() => void) | undefined;
  /** Something has happened since it last looked. */
  #isStirred = false;
  /** Until it is ended, and until it asks for its topics, wherever it is by then. */
  #ending: NodeJS.Timeout | undefined;
  #turning: NodeJS.Timeout | undefined;
  /** So many changes of the topics are known and not yet followed. */
  #turns = 0;
  /** Events that were committed before a subscription that starts now, and relayed after. */
  #past: ReadonlySet<string> = none;
  #pastAt = 0;
  /** What was told in passing while the connection was full: the newest of each key. */
  #held = new Map<string, Rendered>();

  constructor({ source, group, sink, closed }: SubscriberOptions) {
    this.source = source;
    this.#group = group;
    this.sink = sink;
    this.#closed = closed;
    group.add(this);
  }

  /** As `position`, and beyond it what is known to have held nothing for it. */
  get reached(): number {
    return this.#state === 'live' ? Math.max(this.position, this.#group.reached) : this.position;
  }

  /**
   * Resolves once the subscription is accepted: what is committed from then on will reach it.
   * Answers false when its position lies beyond the journal's end, which this journal never gave out.
   */
  async start(): Promise<boolean> {
    const { hub } = this.#group;
    const { epoch } = hub;
    const { head, pending, at } = await hub.now();
    const { after } = this.source;
    if (after !== null && after > head) return false;
    this.position = this.startedAt = after ?? head;
    if (after === null) this.#past = pending;
    this.#pastAt = at;
    const topics = await this.source.topics(this.position);
    if (this.#state === 'closed') return true;
    // Another epoch has begun: it has a present of its own, and perhaps not that position.
    if (epoch !== hub.epoch) return after === null ? this.start() : false;
    if (this.source.ownTopic) this.#group.hub.attach([this.source.ownTopic], this.#group);
    this.#follow(topics);
    this.catchUp(after === null ? 'start' : 'resume');
    return true;
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#ending);
    clearTimeout(this.#turning);
    this.#group.hub.detach(this.topics, this.#group);
    if (this.source.ownTopic) this.#group.hub.detach([this.source.ownTopic], this.#group);
    this.#group.remove(this);
    this.wake();
    this.#closed();
  }

  /**
   * Looks at an event that changes rights before its turn has come: what lies before a loss may be a long way
   * still, and ends in time wherever the subscriber is by then.
   */
  heed(event: JournalEvent): void {
    if (event.position <= this.position) return;
    const ends = this.#ends(event);
    if (ends) this.#ending ??= setTimeout(() => this.#end(ends), graceMs);
    if (!this.turns(event)) return;
    this.#turns += 1;
    this.#turning ??= setTimeout(() => this.#group.turn(this), graceMs);
  }

  /** Another epoch has begun: who stands above its beginning has seen what is no more. */
  renew(until: number): void {
    if (this.position > until) this.#end('expired');
  }

  /** Stands in another group from here on: what was begun in the old one is left. */
  move(group: Group): void {
    const old = this.#group;
    if (this.#state === 'closed' || group === old) return;
    const { ownTopic } = this.source;
    const topics = ownTopic && this.#state !== 'new' ? [...this.topics, ownTopic] : this.topics;
    group.hub.attach(topics, group);
    old.hub.detach(topics, old);
    this.#group = group;
    group.add(this);
    old.remove(this);
    if (this.#state === 'live') this.catchUp('moved');
    else this.wake();
  }

  /** Sends one event, unless it is not wanted, and stands behind it. True when something was written. */
  send({ event, rendered }: Showing): boolean {
    if (this.#state === 'closed') return false;
    this.position = event.position;
    // What was written later is relayed after all of them.
    if (event.writtenAt > this.#pastAt) this.#past = none;
    const ends = this.#ends(event);
    if (ends) this.#end(ends);
    else if (rendered && !this.#past.has(sourceOf(event.id))) {
      this.sink.write(rendered);
      return true;
    }
    return false;
  }

  turns(event: JournalEvent): boolean {
    return this.source.turns?.(event, this.#past.has(sourceOf(event.id))) ?? false;
  }

  follows(topic: string): boolean {
    return topic === this.source.ownTopic || this.topics.includes(topic);
  }

  /**
   * Writes what was told in passing; while the connection is full only the newest of each key is kept. While it
   * is not known which topics are left, none is told.
   */
  whisper(key: string, rendered: Rendered): void {
    if (this.#state === 'new' || this.#state === 'closed' || this.#turns > 0) return;
    if (!this.sink.isFull) return void this.sink.write(rendered);
    if (this.#held.size === 0) void this.sink.drained().then(() => this.#release());
    this.#held.delete(key);
    this.#held.set(key, rendered);
    if (this.#held.size > mostHeld) this.#held.delete(this.#held.keys().next().value!);
  }

  catchUp(reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'catching up';
    this.#group.meter.caughtUp(reason);
    void this.#pull(reason);
  }

  /** Something has happened that a waiting subscriber may go on with. */
  wake(): void {
    this.#isStirred = true;
    this.#wake?.();
  }

  async #pull(reason: string): Promise<void> {
    if (reason === 'turn') this.#turns += 1;
    let resuming = reason === 'resume';
    while (this.#state === 'catching up') {
      if (this.#turns > 0) await this.#turn();
      if (this.sink.isFull) {
        await this.sink.drained();
        continue;
      }
      this.#isStirred = false;
      const { hub } = this.#group;
      const { epoch } = hub;
      const recent = this.#fromFeed();
      const page = recent ?? (await this.#fromJournal());
      // What was read of another epoch is no more.
      if (page === null || epoch !== hub.epoch) continue;
      if (resuming) this.#group.meter.resumed(page.gap ? 'expired' : 'continued');
      resuming = false;
      if (page.gap) return this.#end('expired');
      if (page.events.length > 0) await this.#sendPage(page);
      else if (page.upTo > this.position) this.position = page.upTo;
      // Only the feed tells, in this very turn, that there is nothing more.
      else if (recent && this.#goLive()) return;
      else await this.#news();
    }
  }

  #fromFeed(): Page | null {
    const events = this.#group.hub.after(this.topics, this.position, this.#group);
    return events && { events, upTo: this.position, gap: false };
  }

  /** Null when there is nothing to do with the answer. */
  async #fromJournal(): Promise<Page | null> {
    try {
      const page = await this.#group.hub.read(this.topics, this.position, this.#group);
      return this.#state === 'catching up' ? page : null;
    } catch {
      // The database is away: a subscription outlives that.
      await new Promise((resolve) => setTimeout(resolve, retryMs));
      return null;
    }
  }

  async #sendPage({ events, upTo }: Page): Promise<void> {
    const group = this.#group;
    const { epoch } = group.hub;
    // Many are given a page at once, and between pages others have their turn.
    await nextTurn('catching up');
    for (const event of events) {
      const rendering = this.source.wants(event) ? group.renderings.of(event) : null;
      const rendered = rendering instanceof Promise ? await rendering : rendering;
      if (this.#state !== 'catching up' || this.#group !== group || epoch !== group.hub.epoch) return;
      if (this.#turns > 0) return;
      // What was there before it came is no measure of how fast events are.
      const seconds = event.writtenAt > this.#pastAt ? (Date.now() - event.writtenAt) / 1_000 : null;
      if (this.send({ event, rendered })) this.#group.meter.delivered(event, 1, seconds);
      if (this.turns(event)) this.#turns += 1;
      if (this.#turns > 0 || this.sink.isFull) return;
    }
    this.position = Math.max(this.position, upTo);
  }

  /** The topics have changed at this position, and perhaps once more while they were asked for. */
  async #turn(): Promise<void> {
    while (this.#turns > 0 && this.#state === 'catching up') {
      const turns = this.#turns;
      try {
        const topics = await this.source.topics(this.position);
        if (this.#state === 'catching up') this.#follow(topics);
        this.#turns -= turns;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
    clearTimeout(this.#turning);
    this.#turning = undefined;
  }

  #follow(topics: readonly string[]): void {
    const { hub } = this.#group;
    hub.attach(topics, this.#group);
    hub.detach(this.topics, this.#group);
    this.topics = topics;
    // Some of it may be of a topic that is not among them.
    this.#held.clear();
  }

  /** Only where the node knows everything up to here: else something at or below could still arrive. */
  #goLive(): boolean {
    const { hub } = this.#group;
    if (this.position > hub.watermark) hub.awaitWatermark(this.#group);
    else if (this.#group.admit(this)) {
      this.#state = 'live';
      return true;
    }
    return false;
  }

  #news(): Promise<void> {
    if (this.#isStirred) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #ends(event: JournalEvent): EndReason | null {
    if (!event.control) return null;
    if (this.source.revokes?.(event)) return 'revoked';
    // What was committed before it began has been taken into account.
    return this.source.expires?.(event) && !this.#past.has(sourceOf(event.id)) ? 'expired' : null;
  }

  #release(): void {
    const held = [...this.#held];
    this.#held.clear();
    for (const [key, rendered] of held) this.whisper(key, rendered);
  }

  #end(reason: EndReason): void {
    if (this.#state === 'closed') return;
    this.close();
    this.sink.end(reason);
  }
}

const none: ReadonlySet<string> = new Set();

interface SubscriberOptions {
  readonly source: SourceOptions;
  readonly group: Group;
  readonly sink: Sink;
  /** Called once, when it is over for whatever reason. */
  closed(): void;
}
