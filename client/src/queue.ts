import { backoff, type Pace } from './backoff.ts';
import { messageOf } from './closure.ts';
import { failure, isPassing, OperationError } from './errors.ts';
import type { Answer } from './link.ts';
import type { Payload } from './operation.ts';
import type { Shelf } from './shelf.ts';

interface Item {
  readonly payload: Payload;
  /** By a page that is gone. */
  readonly isLeft: boolean;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** More than that nobody writes while offline: it is a mistake. */
const mostWaiting = 1_000;

export interface QueueOptions {
  readonly send: (payload: Payload) => Promise<Answer>;
  readonly pace: Pace;
  /** Keeps what waits across page loads, and finds what another page has left. */
  readonly openShelf?: (found: (payloads: readonly Payload[]) => void) => Promise<Shelf>;
  /** What another page has left was refused. */
  readonly refused: (payload: Payload, error: OperationError) => void;
}

/**
 * Mutations on their way, one after another. The server knows one that comes again by its `clientId`, so each is done
 * once however often it is sent.
 */
export class Queue {
  readonly #options: QueueOptions;
  readonly #items: Item[] = [];
  /** Until it is known what another page has left: that goes first. */
  readonly #opening: Promise<void>;
  #shelf: Shelf | null = null;
  #isRunning = false;
  #failures = 0;
  /** Ends the wait for the next attempt. */
  #wake: (() => void) | null = null;
  #isDisposed = false;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#opening = this.#open();
  }

  add(payload: Payload): Promise<Answer> {
    if (!hasClientId(payload.variables)) {
      return Promise.reject(
        failure('BAD_USER_INPUT', 'What is sent again needs a `clientId` among its variables.'),
      );
    }
    if (this.#items.length >= mostWaiting) {
      return Promise.reject(failure('LIMIT_EXCEEDED', `${mostWaiting} mutations are waiting to be sent.`));
    }
    return new Promise((resolve, reject) => {
      this.#items.push({ payload, isLeft: false, resolve, reject });
      this.#keep();
      void this.#run();
    });
  }

  /** There is a connection again. */
  hurry(): void {
    this.#wake?.();
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const { reject } of this.#items.splice(0)) {
      reject(failure('NETWORK_ERROR', 'The client has been disposed of before this was answered.'));
    }
    this.#wake?.();
  }

  async #open(): Promise<void> {
    const isLeft = (payload: Payload): Item => ({
      payload,
      isLeft: true,
      resolve: ({ errors }) => {
        if (errors) this.#options.refused(payload, new OperationError(errors));
      },
      reject: (error) => {
        const known = error instanceof OperationError ? error : failure('BAD_USER_INPUT', messageOf(error));
        this.#options.refused(payload, known);
      },
    });
    const found = (payloads: readonly Payload[]) => {
      // Before what this page has added until it was known: that comes behind it.
      const at = this.#shelf ? this.#items.length : this.#items.findIndex((item) => !item.isLeft);
      this.#items.splice(at === -1 ? this.#items.length : at, 0, ...payloads.map(isLeft));
      this.#keep();
      void this.#run();
    };
    try {
      this.#shelf = (await this.#options.openShelf?.(found)) ?? null;
    } catch {
      // Its code could not be loaded: what waits is in memory.
    }
    this.#keep();
    this.#shelf?.sweep();
  }

  #keep(): void {
    if (!this.#isDisposed) this.#shelf?.keep(this.#items.map(({ payload }) => payload));
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    await this.#opening;
    for (let item = this.#items[0]; item && !this.#isDisposed; item = this.#items[0]) {
      const waitMs = await this.#attempt(item);
      if (this.#isDisposed) break;
      if (waitMs === null) {
        this.#items.shift();
        this.#keep();
      } else await this.#pause(waitMs);
    }
    this.#isRunning = false;
  }

  /** How long to wait before it is sent again, null when it has been settled. */
  async #attempt({ payload, isLeft, resolve, reject }: Item): Promise<number | null> {
    const { send, pace } = this.#options;
    const soon = () => backoff(pace, this.#failures++, Math.random());
    try {
      const answer = await send(payload);
      const { retryAfterMs, code } = new OperationError(answer.errors ?? []);
      if (answer.errors && retryAfterMs !== null) return retryAfterMs;
      // Nobody is signed in yet.
      if (answer.errors && isLeft && code === 'UNAUTHENTICATED') return soon();
      resolve(answer);
    } catch (error) {
      if (isPassing(error)) return soon();
      reject(error);
    }
    this.#failures = 0;
    return null;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        this.#wake = null;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** As a variable of its own, or within an input. */
function hasClientId(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (typeof (value as Record<string, unknown>).clientId === 'string') return true;
  return Object.values(value).some(hasClientId);
}
