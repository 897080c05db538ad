import type { JournalEvent, Whisper } from './event.ts';
import type { Hub, Watcher } from './hub.ts';
import { Latest } from './latest.ts';
import type { Meter } from './meter.ts';
import type { Subscriber } from './subscriber.ts';

/** One event as one group is shown it. */
export interface Rendered {
  /** The execution result as JSON. */
  readonly payload: string;
  /** The event's position as clients are given it; null for what is told in passing. */
  readonly position: string | null;
}

/** How many renderings are kept while somebody is behind: about a page of the journal. */
const kept = 256;
/** So many whispers are remembered as heard. */
const remembered = 32;
/** Whispers of one type in one topic are at least so far apart. */
const whisperMs = 100;

/**
 * Subscribers that are shown the same: an event is executed and serialised once for all of them.
 * The live ones stand at one position, the group's; the others come to it by themselves.
 */
export class Group implements Watcher {
  readonly hub: Hub;
  readonly meter: Meter;
  /** The live ones have been sent everything at or below. */
  position = 0;
  #topics: readonly string[] = [];
  #live = new Set<Subscriber>();
  #behind = new Set<Subscriber>();
  #telling = false;
  #rendered = new Map<JournalEvent, Rendered | Promise<Rendered>>();
  /** What is told in passing to several of the topics comes several times. */
  #whispered = new Set<string>();
  #whispers = new Latest<Whisper>(whisperMs, (whisper) => void this.#whisper(whisper));
  #render: (event: JournalEvent | Whisper) => Rendered | Promise<Rendered>;
  #emptied: () => void;

  constructor({ hub, meter, render, emptied }: GroupOptions) {
    this.hub = hub;
    this.meter = meter;
    this.#render = render;
    this.#emptied = emptied;
  }

  get size(): number {
    return this.#live.size + this.#behind.size;
  }

  /** Up to where the live ones have all there is. */
  get reached(): number {
    const isAtEnd = !this.#telling && this.hub.after(this.#topics, this.position, this)?.length === 0;
    return isAtEnd ? Math.max(this.position, this.hub.watermark) : this.position;
  }

  add(subscriber: Subscriber): void {
    this.#behind.add(subscriber);
  }

  remove(subscriber: Subscriber): void {
    const wasHere = this.#live.delete(subscriber) || this.#behind.delete(subscriber);
    if (!wasHere || this.size > 0) return;
    this.#whispers.close();
    this.#emptied();
  }

  /**
   * Takes a subscriber that has been sent everything among the live ones: in one synchronous step, and only
   * where it stands where they stand.
   */
  admit(subscriber: Subscriber): boolean {
    if (this.#live.size === 0 && !this.#telling) {
      this.position = subscriber.position;
      this.#topics = subscriber.topics;
    } else if (subscriber.topics.join() !== this.#topics.join()) return false;
    else if (subscriber.position !== this.position) {
      if (this.#telling || this.hub.after(this.#topics, this.position, this)?.length !== 0) return false;
      this.position = Math.max(this.position, subscriber.position);
    }
    this.#behind.delete(subscriber);
    this.#live.add(subscriber);
    if (this.#behind.size === 0) this.#rendered.clear();
    return true;
  }

  /** Loss of rights does not wait its turn behind what is still to be sent. */
  arrived(event: JournalEvent): void {
    if (event.control) for (const subscriber of [...this.#live, ...this.#behind]) subscriber.heed(event);
    if (event.position > this.hub.watermark) this.hub.awaitWatermark(this);
    else this.advanced();
  }

  advanced(): void {
    if (!this.#telling && this.#live.size > 0) void this.#tell();
    for (const subscriber of this.#behind) subscriber.wake();
  }

  whispered(whisper: Whisper): void {
    const { source } = first(this.#live) ?? first(this.#behind) ?? {};
    if (!source?.hears?.(whisper) || this.#whispered.has(whisper.id)) return;
    this.#whispered.add(whisper.id);
    if (this.#whispered.size > remembered) this.#whispered.delete(first(this.#whispered)!);
    this.#whispers.put(`${whisper.topic} ${whisper.type}`, whisper);
  }

  renewed(until: number): void {
    this.#rendered.clear();
    for (const subscriber of [...this.#live, ...this.#behind]) subscriber.renew(until);
    this.advanced();
  }

  render(event: JournalEvent): Rendered | Promise<Rendered> {
    const known = this.#rendered.get(event);
    if (known) return known;
    const rendered = this.#render(event);
    this.meter.executed();
    if (this.#behind.size > 0 && this.size > 1) this.#keep(event, rendered);
    return rendered;
  }

  async #whisper(whisper: Whisper): Promise<void> {
    const rendered = await this.#render(whisper);
    this.meter.executed();
    for (const subscriber of [...this.#live, ...this.#behind]) {
      subscriber.whisper(`${whisper.topic} ${whisper.type}`, rendered);
    }
  }

  async #tell(): Promise<void> {
    this.#telling = true;
    for (let events = this.#next(); events?.length; events = this.#next()) {
      for (const event of events) if (!(await this.#send(event))) break;
    }
    this.#telling = false;
    for (const subscriber of this.#behind) subscriber.wake();
  }

  #next(): readonly JournalEvent[] | null {
    if (this.#live.size === 0) return null;
    const events = this.hub.after(this.#topics, this.position, this);
    if (events === null) for (const subscriber of this.#live) this.#dismiss(subscriber, 'behind');
    return events;
  }

  /** False when the live ones have to find their way anew. */
  async #send(event: JournalEvent): Promise<boolean> {
    const { wants, turns } = first(this.#live)?.source ?? {};
    if (!wants) return false;
    const rendering = wants(event) ? this.render(event) : null;
    const rendered = rendering instanceof Promise ? await rendering : rendering;
    // From here to the end nothing is awaited: those who are admitted meanwhile stand before this event.
    this.position = event.position;
    const turning = turns?.(event) ?? false;
    let sent = 0;
    for (const subscriber of this.#live) {
      if (subscriber.send(event, rendered)) sent += 1;
      if (turning) this.#dismiss(subscriber, 'turn');
      else if (subscriber.isFull) this.#dismiss(subscriber, 'slow');
    }
    if (sent > 0) this.meter.delivered(sent, (Date.now() - event.writtenAt) / 1_000);
    return !turning;
  }

  #dismiss(subscriber: Subscriber, reason: string): void {
    this.#live.delete(subscriber);
    this.#behind.add(subscriber);
    subscriber.catchUp(reason);
  }

  #keep(event: JournalEvent, rendered: Rendered | Promise<Rendered>): void {
    this.#rendered.set(event, rendered);
    if (this.#rendered.size > kept) this.#rendered.delete(this.#rendered.keys().next().value!);
  }
}

const first = <Value>(values: Iterable<Value>): Value | undefined => values[Symbol.iterator]().next().value;

interface GroupOptions {
  readonly hub: Hub;
  readonly meter: Meter;
  /** Never throws and never rejects: a failure is part of what is shown. */
  render(event: JournalEvent | Whisper): Rendered | Promise<Rendered>;
  /** The last subscriber has left. */
  emptied(): void;
}
