import { expect } from 'vitest';
import { addressOf, MemoryBus } from '../../src/realtime/bus.ts';
import type { JournalEvent } from '../../src/realtime/event.ts';
import { Hub, type HubTiming } from '../../src/realtime/hub.ts';
import type { Journal } from '../../src/realtime/journal.ts';
import type { Rendered } from '../../src/realtime/renderings.ts';
import type { Sink } from '../../src/realtime/subscriber.ts';

/** A journal in memory, and the bus that may lose what it is told. */
export class World {
  readonly bus = new MemoryBus();
  readonly events: JournalEvent[] = [];
  #published = 0;
  #position = 0;
  readonly journal: Journal = {
    epoch: 'one',
    now: async () => ({ head: this.#position, pending: new Set(), at: 0 }),
    read: async (asked, after, limit) => {
      const events = this.events.filter(({ topic, position }) => asked.includes(topic) && position > after);
      return {
        events: events.slice(0, limit),
        upTo: events[limit - 1]?.position ?? this.#position,
        floor: 0,
      };
    },
    stretch: async (after, limit) => {
      const events = this.events.filter(({ position }) => position > after);
      return {
        events: events.slice(0, limit),
        upTo: events[limit - 1]?.position ?? this.#position,
        floor: 0,
      };
    },
  };
  readonly hub: Hub;

  constructor(timing?: HubTiming) {
    const failed = (error: unknown) => expect(error).toBeNull();
    this.hub = new Hub({ bus: this.bus, journal: this.journal, failed, timing });
  }

  /** Relays one event, and tells the bus unless that loses it. */
  relay(topic: string, isLost: boolean): void {
    const prev = this.events.findLast((event) => event.topic === topic)?.position ?? 0;
    this.#position += 1;
    const event: JournalEvent = {
      ...{ position: this.#position, topic, prev, id: String(this.#position), kind: 'k', type: 't' },
      ...{
        recipientId: null,
        subject: null,
        erases: false,
        control: false,
        payload: {},
        writtenAt: Date.now(),
      },
    };
    this.events.push(event);
    if (!isLost) this.bus.publish(addressOf('one', topic), event);
  }

  /** The message behind a batch. */
  control(isLost: boolean): void {
    const named = this.events.filter(({ position }) => position > this.#published);
    const last = Object.fromEntries(named.map(({ topic, position }) => [topic, position]));
    if (!isLost) {
      this.bus.publish(addressOf('one', '~control'), {
        from: this.#published,
        to: this.#position,
        topics: last,
      });
    }
    this.#published = this.#position;
  }
}

/** A connection that takes so many payloads before it is full, until it is drained. */
export class TestSink implements Sink {
  readonly heard: number[] = [];
  #waiting = 0;
  #drained: (() => void)[] = [];
  #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get isFull(): boolean {
    return this.#waiting >= this.#capacity;
  }

  write({ position }: Rendered): void {
    this.heard.push(Number(position));
    this.#waiting += 1;
  }

  drained(): Promise<void> {
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  drain(): void {
    this.#waiting = 0;
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  end(reason: string): void {
    throw new Error(`ended: ${reason}`);
  }
}
