import type { JournalEvent, Whisper } from './event.ts';
import type { Hub } from './hub.ts';
import { Latest } from './latest.ts';
import type { Meter } from './meter.ts';
import type { Rendered, Renderings } from './renderings.ts';
import type { Subscriber } from './subscriber.ts';
import { type Tracer, untraced } from './tracer.ts';
import { nextTurn, turnMs } from './turns.ts';
import type { Watcher } from './watcher.ts';

/** One event and what is sent of it; null where it is not wanted. */
export interface Showing {
  readonly event: JournalEvent;
  readonly rendered: Rendered | null;
}

/** So many events are sent to one after the other before the next one's turn, so that they leave together. */
const mostAtOnce = 64;
/** The clock is looked at after so many subscribers. */
const stride = 32;
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
  readonly #tracer: Tracer;
  readonly renderings: Renderings;
  /** The live ones have been sent everything at or below. */
  position = 0;
  #topics: readonly string[] = [];
  #live = new Set<Subscriber>();
  #behind = new Set<Subscriber>();
  #telling = false;
  /** What is told in passing to several of the topics comes several times. */
  #whispered = new Set<string>();
  #whispers = new Latest<Whisper>(whisperMs, (whisper) => this.#whisper(whisper));
  /** Ends when all whispers before have been passed on. */
  #passedOn: Promise<void> = Promise.resolve();
  #emptied: () => void;

  constructor({ hub, meter, tracer = untraced, renderings, emptied }: GroupOptions) {
    this.hub = hub;
    this.meter = meter;
    this.#tracer = tracer;
    this.renderings = renderings;
    this.#emptied = emptied;
  }

  get size(): number {
    return this.#live.size + this.#behind.size;
  }

  get subscribers(): Subscriber[] {
    return [...this.#live, ...this.#behind];
  }

  /** Up to where the live ones have all there is. */
  get reached(): number {
    const isAtEnd = !this.#telling && this.hub.after(this.#topics, this.position, this)?.length === 0;
    return isAtEnd ? Math.max(this.position, this.hub.watermark) : this.position;
  }

  add(subscriber: Subscriber): void {
    this.#behind.add(subscriber);
    this.renderings.behind(1);
  }

  remove(subscriber: Subscriber): void {
    const wasBehind = this.#behind.delete(subscriber);
    if (wasBehind) this.renderings.behind(-1);
    if (!wasBehind && !this.#live.delete(subscriber)) return;
    if (this.size > 0) return;
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
    this.renderings.behind(-1);
    this.#live.add(subscriber);
    return true;
  }

  /** Loss of rights does not wait its turn behind what is still to be sent. */
  arrived(event: JournalEvent): void {
    if (event.control) for (const subscriber of this.subscribers) subscriber.heed(event);
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
    this.renderings.clear();
    for (const subscriber of this.subscribers) {
      subscriber.renew(until);
      if (this.#live.has(subscriber)) this.#dismiss(subscriber, 'behind');
    }
    this.advanced();
  }

  /** The topics of a live one are to be asked for before its turn has come. */
  turn(subscriber: Subscriber): void {
    if (this.#live.has(subscriber)) this.#dismiss(subscriber, 'turn');
  }

  /** What takes longer to execute is not overtaken by what was told after it. */
  #whisper(whisper: Whisper): void {
    const { topic, type } = whisper;
    const rendering = this.renderings.of(whisper);
    this.#passedOn = this.#passedOn.then(async () => {
      const rendered = await rendering;
      for (const subscriber of this.subscribers) {
        if (subscriber.follows(topic)) subscriber.whisper(`${topic} ${type}`, rendered);
      }
    });
  }

  async #tell(): Promise<void> {
    this.#telling = true;
    // Many groups may be told of one event.
    await nextTurn('live');
    for (let events = this.#next(); events?.length; events = this.#next()) {
      const { epoch } = this.hub;
      const showings = await this.#show(events);
      // What was shown of another epoch is no more.
      if (epoch === this.hub.epoch) await this.#send(showings);
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

  /** As many as are sent at once; one that changes the topics is the last. */
  async #show(events: readonly JournalEvent[]): Promise<Showing[]> {
    const showings: Showing[] = [];
    for (const event of events.slice(0, mostAtOnce)) {
      const leader = first(this.#live);
      const rendering = leader?.source.wants(event) ? this.renderings.of(event) : null;
      showings.push({ event, rendered: rendering instanceof Promise ? await rendering : rendering });
      if (leader?.turns(event)) break;
    }
    return showings;
  }

  /** Who is admitted meanwhile stands where all of these are still to come, and is reached in the same round. */
  async #send(showings: readonly Showing[]): Promise<void> {
    const { epoch } = this.hub;
    const { event } = showings.at(-1)!;
    const isTurning = first(this.#live)?.turns(event) ?? false;
    const sent = showings.map(() => 0);
    const startedAt = Date.now();
    let until = performance.now() + turnMs;
    let count = 0;
    for (const subscriber of this.#live) {
      for (let index = 0; index < showings.length; index += 1) {
        if (subscriber.send(showings[index]!)) sent[index]! += 1;
        if (subscriber.sink.isFull) break;
      }
      if (isTurning) this.#dismiss(subscriber, 'turn');
      else if (subscriber.sink.isFull) this.#dismiss(subscriber, 'slow');
      count += 1;
      if (count % stride !== 0 || performance.now() < until) continue;
      await nextTurn('live');
      if (epoch !== this.hub.epoch) return;
      until = performance.now() + turnMs;
    }
    this.position = event.position;
    this.#count(showings, sent, startedAt);
  }

  /** The first was written when it began, the last by now. */
  #count(showings: readonly Showing[], sent: readonly number[], startedAt: number): void {
    const now = Date.now();
    for (const [index, { event, rendered }] of showings.entries()) {
      const deliveries = sent[index]!;
      if (deliveries === 0) continue;
      this.meter.delivered(event, deliveries, (now - event.writtenAt) / 1_000);
      if (rendered!.trace) this.#note(rendered!.trace, deliveries, startedAt);
    }
  }

  #note(parent: string, deliveries: number, startedAt: number): void {
    const attributes = { 'realtime.deliveries': deliveries };
    this.#tracer.note({ name: 'write', kind: 'producer', parent, attributes }, startedAt);
  }

  #dismiss(subscriber: Subscriber, reason: string): void {
    // What it was just sent may have ended it: then it is in no group any more.
    if (!this.#live.delete(subscriber)) return;
    this.#behind.add(subscriber);
    this.renderings.behind(1);
    subscriber.catchUp(reason);
  }
}

const first = <Value>(values: Iterable<Value>): Value | undefined => values[Symbol.iterator]().next().value;

interface GroupOptions {
  readonly hub: Hub;
  readonly meter: Meter;
  readonly tracer?: Tracer;
  readonly renderings: Renderings;
  /** The last subscriber has left. */
  emptied(): void;
}
