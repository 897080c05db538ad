import { createRealtimeClient, type RealtimeClient } from 'gravitycar-realtime-client';
import { Ledger } from './ledger.ts';
import { overheard } from './overheard.ts';
import { type Person, tokensOf } from './people.ts';
import { Wire } from './wire.ts';

/** One person at this page: with a connection, a wire to cut, and a count of their own. */
export interface Desk {
  readonly person: Person;
  readonly client: RealtimeClient;
  readonly wire: Wire;
  readonly ledger: Ledger;
  /** A request to the demo's own backend, over the same wire. */
  ask<Answer>(path: string, method?: 'GET' | 'POST' | 'PUT' | 'DELETE', body?: object): Promise<Answer>;
}

const desks = new Map<string, Desk>();

/** The desk of this place; made when it is first asked for, and kept: a component may be mounted twice. */
export function deskAt(place: string, person: Person, ownToken: string | null): Desk {
  const key = `${place} ${person.id}`;
  const found = desks.get(key);
  if (found) return found;
  const desk = openDesk(person, ownToken);
  desks.set(key, desk);
  return desk;
}

/** Somebody else sits down there. */
export function clearDesk(place: string, person: Person): void {
  const key = `${place} ${person.id}`;
  desks.get(key)?.client.dispose();
  desks.delete(key);
}

function openDesk(person: Person, ownToken: string | null): Desk {
  const wire = new Wire();
  const ledger = new Ledger();
  const token = ownToken === null ? tokensOf(person.id, wire.fetch) : () => Promise.resolve(ownToken);
  const client = createRealtimeClient({
    url: new URL('/graphql', location.href).href,
    token,
    // Two people with an event stream for each subscription would be more than a browser opens to one server.
    transport: 'ws',
    webSocketImpl: wire.WebSocket,
    fetch: wire.fetch,
    // Somebody is looking: half a minute of waiting would be too long.
    retry: { firstMs: 500, longestMs: 3_000 },
  });
  wire.onChange(() => {
    if (!wire.isCut) client.reconnect();
  });
  return {
    ...{ person, wire, ledger, client: overheard(client, ledger) },
    ask: async (path, method = 'GET', body) => {
      const response = await wire.fetch(path, {
        method,
        headers: {
          authorization: `Bearer ${await token()}`,
          ...(body ? { 'content-type': 'application/json' } : {}),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const answer = await response.json();
      if (!response.ok)
        throw new Error(answer.errors?.[0]?.message ?? `The server answered ${response.status}.`);
      return answer;
    },
  };
}
