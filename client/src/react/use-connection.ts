import { useSyncExternalStore } from 'react';
import type { Connection, RealtimeClient } from '../types.ts';
import { useRealtimeClient } from './provider.ts';

const before: Connection = { status: 'idle' };

/** How the connection is. It is drawn again with each change of it, latency included. */
export function useConnection(): Connection {
  const client = useRealtimeClient();
  const { subscribe, read } = listeningTo(client);
  return useSyncExternalStore(subscribe, read, () => before);
}

interface Listening {
  subscribe(listener: () => void): () => void;
  read(): Connection;
}

const listenings = new WeakMap<RealtimeClient, Listening>();

/** The same functions for the same client: React listens anew when it is given others. */
function listeningTo(client: RealtimeClient): Listening {
  const known = listenings.get(client);
  if (known) return known;
  const listening: Listening = {
    subscribe: (listener) => client.onConnection(listener),
    read: () => client.connection,
  };
  listenings.set(client, listening);
  return listening;
}
