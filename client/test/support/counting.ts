import type { RealtimeClient } from '../../src/index.ts';

/** A client, and what is open of what it was asked for. */
export interface Counting {
  readonly client: RealtimeClient;
  readonly subscriptions: number;
  readonly listeners: number;
  readonly requests: number;
  /** Ever. */
  readonly begun: number;
}

export function counting(real: RealtimeClient): Counting {
  const open = { subscriptions: 0, listeners: 0, requests: 0, begun: 0 };
  const once = (what: 'subscriptions' | 'listeners', end: () => void) => {
    let isOver = false;
    return () => {
      if (!isOver) open[what] -= 1;
      isOver = true;
      end();
    };
  };
  const client: RealtimeClient = {
    get connection() {
      return real.connection;
    },
    onConnection: (listener) => {
      open.listeners += 1;
      return once('listeners', real.onConnection(listener));
    },
    execute: async (request, options) => {
      open.requests += 1;
      try {
        return await real.execute(request, options);
      } finally {
        open.requests -= 1;
      }
    },
    enqueue: (request) => real.enqueue(request),
    subscribe: (request, sink, options) => {
      open.subscriptions += 1;
      open.begun += 1;
      return once('subscriptions', real.subscribe(request, sink, options));
    },
    reconnect: () => real.reconnect(),
    dispose: () => real.dispose(),
  };
  return {
    client,
    get subscriptions() {
      return open.subscriptions;
    },
    get listeners() {
      return open.listeners;
    },
    get requests() {
      return open.requests;
    },
    get begun() {
      return open.begun;
    },
  };
}
