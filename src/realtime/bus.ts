import type { ControlMessage, JournalEvent } from './event.ts';

/**
 * Carries events between nodes. It may lose, repeat or delay messages: nothing depends on it but latency.
 */
export interface Bus {
  /** Never waits and never throws. */
  publish(topic: string, message: BusMessage): void;
  /** Resolves once listening is true; the answer stops it. */
  listen(topic: string, tell: (message: BusMessage) => void): Promise<() => void>;
  close(): Promise<void>;
}

export type BusMessage = JournalEvent | ControlMessage;

/** The one topic that every node listens to. No topic of an event starts with `~`. */
export const controlTopic = '~control';

/** The bus of a single process: a message is told before `publish` returns. */
export class MemoryBus implements Bus {
  #listeners = new Map<string, Set<(message: BusMessage) => void>>();

  publish(topic: string, message: BusMessage): void {
    for (const tell of this.#listeners.get(topic) ?? []) tell(message);
  }

  async listen(topic: string, tell: (message: BusMessage) => void): Promise<() => void> {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(tell));
    return () => {
      listeners.delete(tell);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }
}
