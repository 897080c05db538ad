import { erased, type JournalEvent } from './event.ts';
import type { JournalPage } from './journal.ts';

/**
 * The recent, unbroken end of one topic. `from` is how far back it reaches:
 * every event of the topic behind `from` that this node knows of is in it.
 *
 *      journal only     │        in the feed
 *   ────────────────────┼───────●────●──────●───►
 *                      from                last
 */
export class Feed {
  /** Nothing is covered until the first listen is done. */
  from = Number.POSITIVE_INFINITY;
  /** The last hole ends here: something at or below was never heard. */
  holedAt = 0;
  #events: JournalEvent[] = [];
  #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get last(): number {
    return this.#events.at(-1)?.position ?? (this.from === Number.POSITIVE_INFINITY ? 0 : this.from);
  }

  /** Listening since before `head` was read: from here on every event is heard, or missed as a hole. */
  open(head: number): void {
    this.#events = this.#events.filter((event) => event.position > head);
    this.from = head;
    const holed = this.#events.findLastIndex(
      (event, index) => event.prev > (this.#events[index - 1]?.position ?? head),
    );
    if (holed >= 0) this.#startAt(holed);
  }

  /** False when it is known already. A hole makes the feed start anew behind it. */
  append(event: JournalEvent): boolean {
    if (event.position <= this.last) return false;
    if (event.erases) this.#erase(event);
    this.#events.push(event);
    const oldest = this.#events.length > this.#capacity ? this.#events.shift() : undefined;
    if (this.from === Number.POSITIVE_INFINITY) return true;
    if (oldest) this.from = oldest.position;
    if (event.prev > (this.#events.at(-2)?.position ?? this.from)) this.#startAt(this.#events.length - 1);
    return true;
  }

  /**
   * What the journal held behind `after`, up to and beyond where the feed begins: it reaches back that far from
   * now on, or as far as there is room. A thousand who resume find what the first of them had read.
   */
  extend(after: number, { events, upTo, floor }: JournalPage): void {
    if (this.from === Number.POSITIVE_INFINITY || after >= this.from || upTo < this.from) return;
    const older = events.filter(({ position }) => position <= this.from);
    const all = [...older.map((event) => this.#asErased(event)), ...this.#events];
    const surplus = Math.max(0, all.length - this.#capacity);
    this.from = surplus > 0 ? all[surplus - 1]!.position : Math.max(after, floor);
    this.#events = all.slice(surplus);
  }

  /** Of what the journal has dropped nobody can tell: it begins behind that. */
  cut(floor: number): void {
    if (this.from >= floor) return;
    this.#events = this.#events.filter(({ position }) => position > floor);
    this.from = this.holedAt = floor;
  }

  /** The events behind `position`, oldest first; null when the feed does not reach back that far. */
  after(position: number): JournalEvent[] | null {
    if (position < this.from) return null;
    let start = this.#events.length;
    while (start > 0 && this.#events[start - 1]!.position > position) start -= 1;
    return start === this.#events.length ? none : this.#events.slice(start);
  }

  /** The event at a position, while it is here. */
  at(position: number): JournalEvent | undefined {
    return this.#events.findLast((event) => event.position <= position);
  }

  #startAt(index: number): void {
    this.#events.splice(0, index);
    this.from = this.holedAt = this.#events[0]!.prev;
  }

  /** What was read before its content was taken back. */
  #asErased(event: JournalEvent): JournalEvent {
    const by = this.#events.find(({ erases, subject }) => erases && subject === event.subject);
    return by ? erased(event, by) : event;
  }

  #erase(by: JournalEvent): void {
    this.#events = this.#events.map((event) => (event.subject === by.subject ? erased(event, by) : event));
  }
}

const none: JournalEvent[] = [];
