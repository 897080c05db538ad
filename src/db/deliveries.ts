import type { JournalEvent } from '../realtime/event.ts';
import type { Meter } from '../realtime/meter.ts';
import { type Database, isAway } from './database.ts';

const usualFlushMs = 2_000;
const mostAtOnce = 5_000;
/** So many events wait to be counted while the database is away; what is delivered beyond them is not counted. */
const usualMost = 100_000;

/** To how many subscribers an event was sent by one of its topics. */
interface Delivered {
  readonly position: number;
  readonly topic: string;
  readonly writtenAt: number;
  count: number;
}

/** The same event may have come by another topic as well. */
interface Waiting extends Delivered {
  readonly other: Waiting | undefined;
}

/**
 * Counts what was delivered, and remembers which notifications were, in memory; both are written every two seconds.
 *
 * A count that may have been written is not written again: it may be too low after a lost connection, but never too
 * high. When a notification was first delivered is written until it is known to be there.
 */
export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #most: number;
  /** By position. */
  #counts = new Map<number, Waiting>();
  #size = 0;
  /** By id: when, by the clock of the process. */
  #notified = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    this.#most = options.most ?? usualMost;
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), this.#options.flushMs ?? usualFlushMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#flushing;
    await this.flush();
  }

  /** The same meter, and what it is told of deliveries is told here as well. */
  overheard(meter: Meter): Meter {
    const delivered: Meter['delivered'] = (event, count, seconds) => {
      this.add(event, count);
      meter.delivered(event, count, seconds);
    };
    return { ...meter, delivered };
  }

  add({ position, topic, writtenAt, kind, subject }: JournalEvent, count: number): void {
    this.#count({ position, topic, writtenAt, count });
    if (kind === 'notification') this.#notify(subject!.slice(subject!.indexOf(':') + 1));
  }

  /** Resolves when all that was delivered before it began is written, or could not be. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush()
      .catch(this.#options.failed)
      .finally(() => {
        this.#flushing = undefined;
      });
    return this.#flushing;
  }

  #count({ position, topic, writtenAt, count }: Delivered): void {
    const first = this.#counts.get(position);
    let known = first;
    while (known && known.topic !== topic) known = known.other;
    if (known) known.count += count;
    else if (this.#size < this.#most) {
      this.#counts.set(position, { position, topic, writtenAt, count, other: first });
      this.#size += 1;
    } else this.#options.lost(count);
  }

  #notify(id: string): void {
    if (this.#notified.has(id) || this.#notified.size >= this.#most) return;
    this.#notified.set(id, performance.now());
  }

  async #flush(): Promise<void> {
    // What is delivered meanwhile is for the next time: there would be no end.
    let left = Math.max(this.#size, this.#notified.size);
    // So that what fails behind it is seldom a batch whose end nobody knows.
    if (left > 0) await this.#options.database.queryAside('select 1');
    for (; left > 0; left -= mostAtOnce) await this.#writeBatch();
  }

  async #writeBatch(): Promise<void> {
    const counts = this.#takeCounts();
    const notified = [...this.#notified].slice(0, mostAtOnce);
    const now = performance.now();
    const ages = notified.map(([id, at]) => ({ id, ago: now - at }));
    try {
      await this.#options.database.queryAside(writeDeliveries, [
        JSON.stringify(counts),
        JSON.stringify(ages),
      ]);
      for (const [id] of notified) this.#notified.delete(id);
    } catch (error) {
      for (const count of counts) {
        // Refused, it was certainly not written.
        if (isAway(error)) this.#options.lost(count.count);
        else this.#count(count);
      }
      throw error;
    }
  }

  #takeCounts(): Delivered[] {
    const taken: Delivered[] = [];
    for (const [position, first] of this.#counts) {
      if (taken.length >= mostAtOnce) break;
      for (let waiting: Waiting | undefined = first; waiting; waiting = waiting.other) {
        const { topic, writtenAt, count } = waiting;
        taken.push({ position, topic, writtenAt, count });
      }
      this.#counts.delete(position);
    }
    this.#size -= taken.length;
    return taken;
  }
}

/**
 * An event's row is looked for from its writing on, since it cannot have been relayed before. Rows are locked in one
 * order, so that nodes never wait for each other in a circle.
 */
const writeDeliveries = `
with delivered as materialized (
  select * from json_to_recordset($1::text::json) as d(position bigint, topic text, "writtenAt" float8, count int)
   order by position, topic),
counted as (
  update realtime_events e set delivered_count = e.delivered_count + d.count from delivered d
   where e.position = d.position and e.topic = d.topic
     and e.relayed_at >= to_timestamp(d."writtenAt" / 1000) - interval '1 min'),
notified as materialized (
  select n.id, a.ago from notifications n join json_to_recordset($2::text::json) as a(id uuid, ago float8) using (id)
   where n.delivered_at is null order by n.id for no key update of n)
update notifications n set delivered_at = clock_timestamp() - d.ago * interval '1 ms' from notified d where n.id = d.id`;

interface DeliveriesOptions {
  readonly database: Database;
  failed(error: unknown): void;
  /** So many deliveries will not be counted. */
  lost(count: number): void;
  readonly flushMs?: number;
  readonly most?: number;
}
