import { messageOf } from './closure.ts';
import { failure, OperationError } from './errors.ts';
import { type Endpoint, post } from './http.ts';
import { type Answer, type Link, LinkLost } from './link.ts';
import type { Payload } from './operation.ts';
import type { GetToken } from './renewal.ts';

/** What is longer goes over HTTP: a message that is too large costs the socket. */
const longestMessage = 256 * 1_024;
/** How long a mutation waits for the subscriptions before it: sent behind them, it is seen by them. */
const orderlyMs = 3_000;

export interface ExecutorOptions {
  readonly endpoint: Endpoint;
  readonly getToken: GetToken;
  /** The open connection. */
  readonly link: () => Link | null;
  /** Resolves when no connection is being made and all subscriptions are on their way, or when it has taken too long. */
  readonly untilSent: (withinMs: number) => Promise<void>;
}

/** Queries and mutations: over the open socket, otherwise over HTTP. */
export class Executor {
  readonly #options: ExecutorOptions;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** @throws {OperationError} There is no answer. */
  async answer(payload: Payload, type: 'query' | 'mutation', signal?: AbortSignal): Promise<Answer> {
    signal?.throwIfAborted();
    if (type === 'mutation') await this.#options.untilSent(orderlyMs);
    // What only reads can be asked again.
    for (let attemptsLeft = type === 'query' ? 1 : 0; ; attemptsLeft -= 1) {
      try {
        return await this.#attempt(payload, signal);
      } catch (error) {
        const isLost = error instanceof OperationError && error.code === 'NETWORK_ERROR';
        if (!isLost || attemptsLeft === 0) throw error;
      }
    }
  }

  #attempt(payload: Payload, signal?: AbortSignal): Promise<Answer> {
    const link = this.#options.link();
    const isMessage = link?.execute && JSON.stringify(payload).length <= longestMessage;
    return isMessage ? overLink(link, payload, signal) : this.#post(payload, signal);
  }

  async #post(payload: Payload, signal?: AbortSignal): Promise<Answer> {
    const { endpoint } = this.#options;
    const token = await this.#token();
    const { answer, status } = await post(endpoint, token, payload, signal);
    if (status !== 401) return answer;
    const another = await this.#token();
    return another === token ? answer : (await post(endpoint, another, payload, signal)).answer;
  }

  async #token(): Promise<string | null> {
    try {
      return await this.#options.getToken();
    } catch (error) {
      throw failure('TOKEN_UNAVAILABLE', messageOf(error), error);
    }
  }
}

async function overLink(link: Link, payload: Payload, signal?: AbortSignal): Promise<Answer> {
  try {
    return await link.execute!(payload, signal);
  } catch (error) {
    if (!(error instanceof LinkLost)) throw error;
    throw failure('NETWORK_ERROR', `It may have been done: ${error.message}.`, error);
  }
}
