import type { RealtimeClient } from '../types.ts';

/** What components look at together, as long as there are any. */
export interface Feed<Snapshot> {
  /** The same object until something changes. */
  readonly snapshot: Snapshot;
  /** Not to be forgotten although nobody looks: something has not been sent yet. */
  readonly isBusy: boolean;
  open(): void;
  close(): void;
}

/** Makes a feed, which calls `changed` whenever its snapshot is another one, or it is busy no more. */
export type MakeFeed<Kept> = (changed: () => void) => Kept;

/** Feeds of one kind, by client and key. */
export interface Shelf<Kept> {
  /** Looks at a feed, which is opened for the first who does. Answers how to look away. */
  join(client: RealtimeClient, key: string, make: MakeFeed<Kept>, listener: () => void): () => void;
  /** The feed, if anyone looks at it. */
  peek(client: RealtimeClient, key: string): Kept | undefined;
  /** The feed to do something with, whether anyone looks at it or not. */
  take(client: RealtimeClient, key: string, make: MakeFeed<Kept>): Kept;
}

interface Place<Kept> {
  readonly feed: Kept;
  readonly listeners: Set<() => void>;
  isOpen: boolean;
}

/**
 * A feed closes a moment after the last look at it: React looks away and back again at once, when it mounts twice in
 * StrictMode or moves a component.
 */
export function createShelf<Kept extends Feed<unknown>>(): Shelf<Kept> {
  const shelves = new WeakMap<RealtimeClient, Map<string, Place<Kept>>>();

  function placeOf(client: RealtimeClient, key: string, make: MakeFeed<Kept>): Place<Kept> {
    const places = shelves.get(client) ?? new Map<string, Place<Kept>>();
    shelves.set(client, places);
    const known = places.get(key);
    if (known) return known;
    const listeners = new Set<() => void>();
    const feed = make(() => {
      for (const listener of [...listeners]) listener();
      tidy(client, key);
    });
    const place = { feed, listeners, isOpen: false };
    places.set(key, place);
    return place;
  }

  /** Closes what nobody looks at, and forgets it unless it is busy. */
  function tidy(client: RealtimeClient, key: string): void {
    const places = shelves.get(client);
    const place = places?.get(key);
    if (!places || !place || place.listeners.size > 0) return;
    if (place.isOpen) {
      place.isOpen = false;
      place.feed.close();
    }
    if (!place.feed.isBusy) places.delete(key);
  }

  return {
    join(client, key, make, listener) {
      const place = placeOf(client, key, make);
      // One function may be given twice; each look is its own.
      const look = () => listener();
      place.listeners.add(look);
      if (!place.isOpen) {
        place.isOpen = true;
        place.feed.open();
      }
      return () => {
        place.listeners.delete(look);
        if (place.listeners.size === 0) setTimeout(() => tidy(client, key));
      };
    },
    peek: (client, key) => shelves.get(client)?.get(key)?.feed,
    take(client, key, make) {
      const place = placeOf(client, key, make);
      if (place.listeners.size === 0) setTimeout(() => tidy(client, key));
      return place.feed;
    },
  };
}
