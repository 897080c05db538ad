import { backoff, type Pace } from './backoff.ts';
import { failure, isPassing, OperationError } from './errors.ts';
import type { Answer } from './link.ts';
import type { Payload } from './operation.ts';

interface Item {
  readonly payload: Payload;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/**
 * Mutations on their way, one after another. The server knows one that comes again by its `clientId`, so each is done
 * once however often it is sent.
 */
export class Queue {
  readonly #send: (payload: Payload) => Promise<Answer>;
  readonly #pace: Pace;
  readonly #items: Item[] = [];
  #isRunning = false;
  #failures = 0;
  /** Ends the wait for the next attempt. */
  #wake: (() => void) | null = null;
  #isDisposed = false;

  constructor(send: (payload: Payload) => Promise<Answer>, pace: Pace) {
    this.#send = send;
    this.#pace = pace;
  }

  add(payload: Payload): Promise<Answer> {
    if (!hasClientId(payload.variables)) {
      return Promise.reject(
        failure('BAD_USER_INPUT', 'What is sent again needs a `clientId` among its variables.'),
      );
    }
    return new Promise((resolve, reject) => {
      this.#items.push({ payload, resolve, reject });
      if (!this.#isRunning) void this.#run();
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

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let item = this.#items[0]; item && !this.#isDisposed; item = this.#items[0]) {
      const waitMs = await this.#attempt(item);
      if (waitMs === null) this.#items.shift();
      else await this.#pause(waitMs);
    }
    this.#isRunning = false;
  }

  /** How long to wait before it is sent again, null when it has been settled. */
  async #attempt({ payload, resolve, reject }: Item): Promise<number | null> {
    try {
      const answer = await this.#send(payload);
      const { retryAfterMs } = new OperationError(answer.errors ?? []);
      if (answer.errors && retryAfterMs !== null) return retryAfterMs;
      resolve(answer);
    } catch (error) {
      if (isPassing(error)) {
        return backoff(this.#pace, this.#failures++, Math.random());
      }
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
