import { ApolloClient, InMemoryCache } from '@apollo/client';
import { createRealtimeClient } from 'gravitycar-realtime-client';
import { realtimeLink } from 'gravitycar-realtime-client/apollo';

/** One connection for everything; it comes back by itself, and each subscription behind its last event. */
export const realtime = createRealtimeClient({
  url: '/graphql',
  // Asked whenever one is needed. In your application: `async () => (await fetch('/token')).text()`.
  token: () => sessionStorage.getItem('token'),
});

export const client = new ApolloClient({ link: realtimeLink(realtime), cache: new InMemoryCache() });
