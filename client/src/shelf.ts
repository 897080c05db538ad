import type { Payload } from './operation.ts';
import type { Positions } from './positions.ts';
import { Held, hold } from './sharing/hold.ts';

/** As many tabs keep what they send; what others queue is in their memory alone. */
const places = 10;

export interface ShelfOptions {
  readonly storage: Positions;
  /** Who shares a storage: of the locks' names. */
  readonly owner: string;
  readonly signal: AbortSignal;
  /** What a page that is gone has left, in its order. */
  found(payloads: readonly Payload[]): void;
}

/** Where one tab keeps what it has yet to send. */
export interface Shelf {
  keep(payloads: readonly Payload[]): void;
  /** Finds what lies elsewhere, now and when other tabs are closed. */
  sweep(): void;
}

/**
 * Each tab has a place of its own, which is its own by a Web Lock, so that no two write over each other. What lies at a
 * place that is nobody's was left by a page that is gone: whoever finds it sends it. Without Web Locks all tabs have one
 * place; what two send of it the server does once.
 */
export async function openShelf({ storage, owner, signal, found }: ShelfOptions): Promise<Shelf> {
  let own = 0;
  let held = await ifFree(own);
  while (held === 'taken' && own < places) held = await ifFree(++own);
  const isKept = held !== 'taken';
  signal.addEventListener('abort', () => held instanceof Held && held.leave());
  if (isKept) found(await at(own));
  return {
    keep: (payloads) => {
      if (!isKept || signal.aborted) return;
      storage.set(keyOf(own), payloads.length === 0 ? null : JSON.stringify(payloads));
    },
    sweep: () => {
      if (held === null) return;
      for (let place = 0; place < places; place += 1) watch(place);
      // A place that is free now is watched from when somebody has it.
      if (typeof BroadcastChannel === 'undefined') return;
      const hall = new BroadcastChannel(nameOf('all'));
      hall.onmessage = ({ data }) => watch(data);
      signal.addEventListener('abort', () => hall.close());
      hall.postMessage(own);
    },
  };

  /** Granted, it is nobody's. */
  function watch(place: number): void {
    if (place !== own) hold(nameOf(place), { signal, granted: (other) => void clear(place, other) });
  }

  async function clear(place: number, other: Held): Promise<void> {
    const left = await at(place);
    if (left.length > 0 && !signal.aborted) {
      // It is kept at this tab's own place before it is gone from the other.
      found(left);
      storage.set(keyOf(place), null);
    }
    other.leave();
  }

  async function at(place: number): Promise<readonly Payload[]> {
    try {
      const kept: unknown = JSON.parse((await storage.get(keyOf(place))) ?? '[]');
      return Array.isArray(kept) ? kept.filter(({ query }) => typeof query === 'string') : [];
    } catch {
      return [];
    }
  }

  function nameOf(place: number | 'all'): string {
    return `gravitycar-realtime queue ${place} ${owner}`;
  }

  /** Null where there are no Web Locks. */
  function ifFree(place: number): Promise<Held | 'taken' | null> {
    if (!globalThis.navigator?.locks) return Promise.resolve(null);
    return new Promise((resolve) => {
      const none = () => resolve(null);
      hold(nameOf(place), {
        signal,
        ifFree: true,
        granted: resolve,
        taken: () => resolve('taken'),
        refused: none,
      });
    });
  }
}

const keyOf = (place: number) => `queue:${place}`;
