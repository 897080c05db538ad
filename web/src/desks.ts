import { createRealtimeClient, OperationError, type RealtimeClient } from 'gravitycar-realtime-client';
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
  readonly ask: Ask;
  /** The same by another way, also when the wire is cut. */
  readonly askAside: Ask;
}

/** Rejects with an `OperationError` where there is an answer, and it is a refusal. */
type Ask = <Answer>(
  path: string,
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE',
  body?: object,
) => Promise<Answer>;

const desks = new Map<string, Desk>();
/** Those that were opened with a token of somebody's own. */
const ownDesks = new Set<string>();

/** The desk of this place; made when it is first asked for, and kept: a component may be mounted twice. */
export function deskAt(place: string, person: Person, ownToken: string | null): Desk {
  const key = `${place} ${person.id}`;
  const found = desks.get(key);
  if (found) return found;
  const desk = openDesk(person, ownToken);
  desks.set(key, desk);
  if (ownToken !== null) ownDesks.add(key);
  return desk;
}

/** Somebody else sits down there. */
export function clearDesk(place: string, person: Person): void {
  clear(`${place} ${person.id}`);
}

/** Another token, or none, is in use from now on: it is never that of the one before. */
export function clearOwnDesks(): void {
  for (const key of ownDesks) clear(key);
}

function clear(key: string): void {
  desks.get(key)?.client.dispose();
  desks.delete(key);
  ownDesks.delete(key);
}

function openDesk(person: Person, ownToken: string | null): Desk {
  const wire = new Wire();
  const ledger = new Ledger();
  const tokensBy = (send: typeof fetch) =>
    ownToken === null ? tokensOf(person.id, send) : () => Promise.resolve(ownToken);
  const token = tokensBy(wire.fetch);
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
    ask: asking(wire.fetch, token),
    askAside: asking(fetch, tokensBy(fetch)),
  };
}

function asking(send: typeof fetch, token: () => Promise<string>): Ask {
  return async (path, method = 'GET', body) => {
    const response = await send(path, {
      method,
      headers: {
        authorization: `Bearer ${await token()}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const answer = await response.json().catch(() => null);
    if (response.ok && answer) return answer;
    const message = `The server answered ${response.status}.`;
    throw new OperationError(answer?.errors ?? [{ message, extensions: { code: 'NETWORK_ERROR' } }]);
  };
}
