import type { Listening } from './bus.ts';
import type { JournalEvent } from './event.ts';
import type { Facet, ValuesOf } from './facet.ts';
import { Feed } from './feed.ts';
import type { Watcher } from './watcher.ts';

const feedCapacity = 128;

/** How many times each is attached. */
type Watchers = Map<Watcher, number>;

/** What of a feed has one value: the positions of such events in it. Every such event behind `from` is there. */
interface Part {
  from: number;
  positions: number[];
  readonly watchers: Watchers;
}

/**
 * A topic that a node listens to: its feed, who watches it, and who watches only a part of it. An event is looked
 * up by its values: those whose parts it is not in are not asked.
 */
export class Topic {
  readonly feed = new Feed(feedCapacity);
  readonly bus: Listening;
  readonly #valuesOf: ValuesOf;
  #whole: Watchers = new Map();
  /** By the facet's name and value. */
  #parts = new Map<string, Map<string, Part>>();

  constructor(bus: Listening, valuesOf: ValuesOf) {
    this.bus = bus;
    this.#valuesOf = valuesOf;
  }

  get isIdle(): boolean {
    return this.#whole.size === 0 && this.#parts.size === 0;
  }

  get watchers(): Watcher[] {
    const parts = [...this.#parts.values()].flatMap((byValue) => [...byValue.values()]);
    return [this.#whole, ...parts.map(({ watchers }) => watchers)].flatMap((watchers) => [
      ...watchers.keys(),
    ]);
  }

  attach(facet: Facet | null, watcher: Watcher): void {
    const watchers = facet ? this.#partOf(facet).watchers : this.#whole;
    watchers.set(watcher, (watchers.get(watcher) ?? 0) + 1);
  }

  detach(facet: Facet | null, watcher: Watcher): void {
    const watchers = facet ? this.#find(facet)?.watchers : this.#whole;
    const count = watchers?.get(watcher);
    if (!watchers || !count) return;
    if (count > 1) watchers.set(watcher, count - 1);
    else watchers.delete(watcher);
    if (facet && watchers.size === 0) this.#drop(facet);
  }

  /** Those of another life of the topic go on watching this one. */
  inherit(earlier: Topic): void {
    this.#whole = earlier.#whole;
    this.#parts = earlier.#parts;
    for (const part of this.#all()) part.from = Number.POSITIVE_INFINITY;
  }

  /** The feed is whole from `head` on. */
  open(head: number): void {
    this.feed.open(head);
    for (const [name, byValue] of this.#parts) {
      for (const [value, part] of byValue) this.#fill(part, { name, value });
    }
  }

  /** What changes rights is told also when it was missed and is read late. */
  accept(event: JournalEvent): void {
    const { holedAt } = this.feed;
    const isNew = this.feed.append(event);
    if (!isNew && !event.control) return;
    for (const watcher of this.#whole.keys()) watcher.arrived(event);
    // Nobody knows whose part a hole has swallowed something of.
    const isHoled = this.feed.holedAt > holedAt;
    for (const [name, byValue] of this.#parts) {
      for (const part of event.control ? byValue.values() : this.#named(byValue, event, name)) {
        if (isNew) part.positions.push(event.position);
        for (const watcher of part.watchers.keys()) watcher.arrived(event);
      }
    }
    if (isHoled)
      for (const part of this.#all()) for (const watcher of part.watchers.keys()) watcher.advanced();
  }

  /** As {@link Feed.after}. */
  after(facet: Facet | null, position: number): readonly JournalEvent[] | null {
    if (!facet) return this.feed.after(position);
    const part = this.#find(facet);
    if (!part) return null;
    this.#trim(part);
    if (position < part.from) return null;
    return part.positions.filter((place) => place > position).map((place) => this.feed.at(place)!);
  }

  #partOf(facet: Facet): Part {
    const known = this.#find(facet);
    if (known) return known;
    const part: Part = { from: Number.POSITIVE_INFINITY, positions: [], watchers: new Map() };
    const byValue = this.#parts.get(facet.name) ?? new Map<string, Part>();
    this.#parts.set(facet.name, byValue.set(facet.value, part));
    if (this.feed.from < Number.POSITIVE_INFINITY) this.#fill(part, facet);
    return part;
  }

  #find({ name, value }: Facet): Part | undefined {
    return this.#parts.get(name)?.get(value);
  }

  #drop({ name, value }: Facet): void {
    const byValue = this.#parts.get(name)!;
    byValue.delete(value);
    if (byValue.size === 0) this.#parts.delete(name);
  }

  #fill(part: Part, { name, value }: Facet): void {
    const events = this.feed.after(this.feed.from)!;
    const isIn = (event: JournalEvent) => event.control || this.#valuesOf(event, name).includes(value);
    part.positions = events.filter(isIn).map(({ position }) => position);
    part.from = this.feed.from;
  }

  /** What has left the feed is behind where the part begins, and so is what a hole has swallowed. */
  #trim(part: Part): void {
    part.from = Math.max(part.from, this.feed.holedAt);
    let gone = 0;
    while (gone < part.positions.length && part.positions[gone]! <= this.feed.from) gone += 1;
    if (gone === 0) return;
    part.from = Math.max(part.from, part.positions[gone - 1]!);
    part.positions.splice(0, gone);
  }

  *#named(byValue: Map<string, Part>, event: JournalEvent, name: string): Iterable<Part> {
    for (const value of this.#valuesOf(event, name)) {
      const part = byValue.get(value);
      if (!part) continue;
      this.#trim(part);
      yield part;
    }
  }

  *#all(): Iterable<Part> {
    for (const byValue of this.#parts.values()) yield* byValue.values();
  }
}
