import type { Cluster, Redis } from 'ioredis';
import { openCluster } from './cluster.ts';
import { type Failed, publisherOptions, watch } from './connection.ts';
import { isCluster, openSingle } from './single.ts';

/** After one that did not come, nobody waits for so long. */
const pauseMs = 1_000;

/**
 * A client for counting what all nodes allow together. Its connection is its own: what is published in crowds does
 * not stand in the way of who waits for an answer.
 */
export class Counter {
  readonly client: Redis | Cluster;
  readonly close: () => void;
  readonly #failed: Failed;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  /** Nobody waits longer than `answerMs` for an answer. */
  constructor(urls: readonly string[], answerMs: number, failed: Failed) {
    this.#failed = failed;
    const options = { ...publisherOptions, commandTimeout: answerMs, enableAutoPipelining: false };
    if (isCluster(urls)) {
      const { cluster, close } = openCluster(urls, options, failed);
      this.client = cluster;
      this.close = close;
    } else {
      const client: Redis = openSingle(urls, options);
      this.client = client;
      this.close = watch(client, failed);
    }
  }

  /** Null when there is no answer in time: whoever asks has to decide alone. */
  async ask<Answer>(question: (client: Redis | Cluster) => Promise<Answer>): Promise<Answer | null> {
    if (this.client.status !== 'ready' || performance.now() < this.#pausedUntil) return null;
    try {
      return await question(this.client);
    } catch (error) {
      this.#pausedUntil = performance.now() + pauseMs;
      this.#failed(error);
      return null;
    }
  }
}
