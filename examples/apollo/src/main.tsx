import { ApolloProvider } from '@apollo/client/react';
import { StrictMode, useState, useSyncExternalStore } from 'react';
import { createRoot } from 'react-dom/client';
import { client, realtime } from './client.ts';
import { Room } from './room.tsx';

function App() {
  const [token, setToken] = useState(sessionStorage.getItem('token'));
  const { status } = useSyncExternalStore(
    (told) => realtime.onConnection(told),
    () => realtime.connection,
  );

  function keep(form: FormData) {
    const given = String(form.get('token')).trim();
    sessionStorage.setItem('token', given);
    setToken(given);
  }

  if (!token)
    return (
      <form action={keep}>
        <input
          name="token"
          aria-label="Token"
          placeholder="What `npm run -s token -- --user ada` prints"
          required
        />
        <button type="submit">Sign in</button>
      </form>
    );
  return (
    <ApolloProvider client={client}>
      <Room channel="welcome" />
      <p role="status">{status}</p>
    </ApolloProvider>
  );
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
