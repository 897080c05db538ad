import { useCallback, useSyncExternalStore } from 'react';
import type { RealtimeClient } from '../types.ts';
import type { Feed, MakeFeed, Shelf } from './shelf.ts';
import { useLatest } from './use-latest.ts';

/** Where a feed is to be found, and how it begins. */
export interface FeedPlace<Kept> {
  readonly shelf: Shelf<Kept>;
  readonly client: RealtimeClient;
  /** Null to look at none. */
  readonly key: string | null;
  readonly make: MakeFeed<Kept>;
}

/** What `read` makes of a feed's snapshot, for as long as the component is mounted. `read` answers the same for the same. */
export function useFeed<Snapshot, Kept extends Feed<Snapshot>, Seen>(
  { shelf, client, key, make }: FeedPlace<Kept>,
  none: NoInfer<Snapshot>,
  read: (snapshot: Snapshot) => Seen,
): Seen {
  const latestMake = useLatest(make);
  const subscribe = useCallback(
    (listener: () => void) => {
      if (key === null) return () => {};
      return shelf.join(client, key, (changed) => latestMake.current(changed), listener);
    },
    [shelf, client, key, latestMake],
  );
  const seen = () => read((key === null ? undefined : shelf.peek(client, key)?.snapshot) ?? none);
  return useSyncExternalStore(subscribe, seen, () => read(none));
}

export const whole = <Snapshot>(snapshot: Snapshot) => snapshot;
