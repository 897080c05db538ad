import { expect } from 'vitest';
import { addressOf, controlTopic, MemoryBus } from '../../src/realtime/bus.ts';
import type { JournalEvent } from '../../src/realtime/event.ts';
import { Hub, type HubTiming } from '../../src/realtime/hub.ts';
import type { Journal } from '../../src/realtime/journal.ts';
import type { Rendered } from '../../src/realtime/renderings.ts';
import { TestSink } from '../support/world.ts';

export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What parts of topics are made by: an event is of one of three. */
export const thirdOf = ({ position }: JournalEvent) => [String(position % 3)];

/**
 * A journal in memory that may lose its end and begin another life, and the bus that may lose what it is told.
 * What is read is of the moment of asking, and comes a turn later. An event's id is `life:position`.
 */
export class Lives {
  readonly bus = new MemoryBus();
  readonly hub: Hub;
  events: JournalEvent[] = [];
  /** What each life held at its end, by its number. */
  readonly past = new Map<number, readonly JournalEvent[]>();
  head = 0;
  /** Everything at or below has been dropped. */
  floor = 0;
  life = 1;
  #heads = new Map<string, number>();
  #published = 0;

  constructor(timing?: HubTiming) {
    const failed = (error: unknown) => expect(error).toBeNull();
    this.hub = new Hub({ bus: this.bus, journal: this.#journal(), failed, timing, valuesOf: thirdOf });
  }

  relay(topic: string, { isLost = false, control = false } = {}): JournalEvent {
    const prev = this.events.findLast((event) => event.topic === topic)?.position ?? 0;
    this.head += 1;
    const id = `${this.life}:${this.head}`;
    const event: JournalEvent = {
      ...{ position: this.head, topic, prev, id, kind: 'k', type: 't', recipientId: null, subject: null },
      ...{ erases: false, control, payload: {}, writtenAt: Date.now() },
    };
    this.events.push(event);
    this.#heads.set(topic, this.head);
    if (!isLost) this.bus.publish(this.#address(topic), event);
    return event;
  }

  /** The message behind a batch. */
  control(isLost = false): void {
    const named = this.events.filter(({ position }) => position > this.#published);
    const topics = Object.fromEntries(named.map(({ topic, position }) => [topic, position]));
    const message = { from: this.#published, to: this.head, topics };
    if (!isLost) this.bus.publish(this.#address(controlTopic), message);
    this.#published = this.head;
  }

  whisper(topic: string, id: string): void {
    const said = { id, topic, kind: 'k', type: id, recipientId: null, payload: {}, writtenAt: Date.now() };
    this.bus.publish(this.#address(topic), said);
  }

  /** What lies behind is lost, and other events take its places. */
  renew(until: number): void {
    this.past.set(this.life, this.events);
    this.events = this.events.filter(({ position }) => position <= until);
    this.head = this.#published = until;
    this.life += 1;
    this.hub.renew(until);
  }

  drop(): void {
    this.events = [];
    this.floor = this.head;
  }

  #address(topic: string): string {
    return addressOf(String(this.life), topic);
  }

  #journal(): Journal {
    const page = (events: readonly JournalEvent[], limit: number) => {
      const upTo = events[limit - 1]?.position ?? this.head;
      return { events: events.slice(0, limit), upTo };
    };
    const later = async <Value>(value: Value) => {
      await turn();
      return value;
    };
    const epoch = () => String(this.life);
    return {
      get epoch() {
        return epoch();
      },
      now: () => later({ head: this.head, pending: new Set<string>(), at: 0 }),
      read: (asked, after, limit) => {
        const isAsked = ({ topic, position }: JournalEvent) => asked.includes(topic) && position > after;
        const events = this.events.filter(isAsked);
        const gone = asked.map((topic) => Math.min(this.floor, this.#heads.get(topic) ?? 0));
        const floor = Math.max(...gone.filter((position) => position > after), 0);
        return later({ ...page(events, limit), floor });
      },
      stretch: (after, limit) => {
        const events = this.events.filter(({ position }) => position > after);
        return later({ ...page(events, limit), floor: this.floor });
      },
    };
  }
}

/** Keeps the payloads that it was given, and why it was ended. */
export class Listener extends TestSink {
  readonly payloads: string[] = [];
  ended: string | null = null;

  constructor(capacity = Number.POSITIVE_INFINITY) {
    super(capacity);
  }

  override write(rendered: Rendered): void {
    super.write(rendered);
    this.payloads.push(rendered.payload);
  }

  override end(reason: string): void {
    this.ended = reason;
  }
}
