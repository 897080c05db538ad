import { cacheExchange, createClient } from '@urql/core';
import { createRealtimeClient } from 'gravitycar-realtime-client';
import { realtimeExchange } from 'gravitycar-realtime-client/urql';

const url = '/graphql';

/** One connection for everything; it comes back by itself, and each subscription behind its last event. */
export const realtime = createRealtimeClient({
  url,
  // Asked whenever one is needed. In your application: `async () => (await fetch('/token')).text()`.
  token: () => sessionStorage.getItem('token'),
});

export const client = createClient({
  url,
  preferGetMethod: false,
  // It answers queries and mutations as well, so it stands where `fetchExchange` would.
  exchanges: [cacheExchange, realtimeExchange(realtime)],
});
