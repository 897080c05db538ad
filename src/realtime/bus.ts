import type { ControlMessage, JournalEvent, Whisper } from './event.ts';

/**
 * Carries messages between nodes. It may lose, repeat or delay them: nothing depends on it but latency.
 */
export interface Bus {
  /** False while other nodes are out of reach. */
  readonly isConnected: boolean;
  /** To where messages are carried, lately; 0 within one process. */
  readonly roundTripSeconds: number;
  /** Never waits and never throws. */
  publish(topic: string, message: BusMessage): void;
  /** What is published to a topic is told from when `listening` resolves, or sooner. */
  listen(topic: string, tell: (message: BusMessage) => void): Listening;
  /** Has it told each time that it was interrupted and is back, with everything listened to again. */
  onBack(tell: () => void): void;
  close(): Promise<void>;
}

export interface Listening {
  readonly listening: Promise<void>;
  stop(): void;
}

/** Asks whoever leads to look at the outbox; `released` asks the others to lead. */
export interface Hint {
  readonly released: boolean;
}

export type BusMessage = JournalEvent | ControlMessage | Whisper | Hint;

/** The topics that every node listens to. No topic of an event starts with `~`. */
export const controlTopic = '~control';
export const hintTopic = '~hint';

/** A topic's name on the bus: databases that share one do not hear each other, nor do lives of one journal. */
export const addressOf = (epoch: string, topic: string) => `${epoch}:${topic}`;

/** The bus of a single process: a message is told before `publish` returns. */
export class MemoryBus implements Bus {
  readonly isConnected = true;
  readonly roundTripSeconds = 0;
  #listeners = new Map<string, Set<(message: BusMessage) => void>>();

  publish(topic: string, message: BusMessage): void {
    for (const tell of this.#listeners.get(topic) ?? []) tell(message);
  }

  listen(topic: string, tell: (message: BusMessage) => void): Listening {
    const listeners = this.#listeners.get(topic) ?? new Set();
    // Who listens twice hears twice.
    const own = (message: BusMessage) => tell(message);
    this.#listeners.set(topic, listeners.add(own));
    const stop = () => {
      listeners.delete(own);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
    return { listening: Promise.resolve(), stop };
  }

  /** It is never away. */
  onBack(): void {}

  async close(): Promise<void> {
    this.#listeners.clear();
  }
}
