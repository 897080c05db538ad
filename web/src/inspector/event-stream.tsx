import { useEvents, useRealtimeSubscription } from 'gravitycar-realtime-client/react';
import { useRef, useState } from 'react';
import type { Desk } from '../desks.ts';
import { secondOf } from '../when.ts';
import { usePolled } from './use-polled.ts';

interface JournalEvent {
  readonly id: string;
  readonly position: string;
  readonly kind: string;
  readonly type: string;
  readonly topics: readonly string[];
  readonly channel: string | null;
  readonly senderId: string | null;
  /** Null: not known here. */
  readonly delivered: number | null;
  readonly createdAt: string;
  readonly payload: string;
}

const everyMs = 1_000;
const kinds = ['message', 'notification', 'event', 'model', 'access'] as const;

/** Events as they pass: with their position, and to how many they went. */
export function EventStream({ desk }: { readonly desk: Desk }) {
  const [kind, setKind] = useState<string>('');
  const [isPaused, setIsPaused] = useState(false);
  const [held, setHeld] = useState<readonly JournalEvent[]>([]);
  const { value, problem, soon } = usePolled(
    async () => (await desk.ask<{ events: JournalEvent[] }>('/demo/journal')).events,
    everyMs,
  );
  // What is emitted is shown at once; everything else with the next look.
  useRealtimeSubscription<unknown, object>(
    { document: 'subscription InspectorEvents { eventReceived { id } }', variables: {} },
    { onNext: soon },
  );
  const events = (isPaused ? held : (value ?? [])).filter((event) => kind === '' || event.kind === kind);
  return (
    <section className="events" aria-label="Events">
      <header>
        <h2>Events as they pass</h2>
        <label>
          <span className="hidden">Kind</span>
          <select value={kind} onChange={(event) => setKind(event.target.value)}>
            <option value="">Every kind</option>
            {kinds.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
        <button
          type="button"
          className="button button-small button-quiet"
          aria-pressed={isPaused}
          onClick={() => {
            setHeld(value ?? []);
            setIsPaused(!isPaused);
          }}
        >
          {isPaused ? 'Go on' : 'Pause'}
        </button>
      </header>
      <EventTable events={events} quiet={problem ?? 'Nothing yet.'} />
    </section>
  );
}

const mostEvents = 200;

/** Those that are emitted to whom this viewer is, where nobody reads the journal: as in production. */
export function EmittedEvents() {
  const [events, setEvents] = useState<readonly JournalEvent[]>([]);
  const passed = useRef(0);
  useEvents({}, ({ id, type, payload, channel, createdAt, sender }, position) => {
    passed.current += 1;
    const event = {
      // What is told in passing has neither an id nor a position.
      ...{
        id: id ?? `passing ${passed.current}`,
        kind: 'event',
        type,
        topics: ['emitted'],
        channel,
        createdAt,
        delivered: null,
      },
      ...{ position: position ?? '', senderId: sender?.id ?? null, payload: JSON.stringify(payload) },
    };
    setEvents((before) => [event, ...before].slice(0, mostEvents));
  });
  return (
    <section className="events" aria-label="Events">
      <header>
        <h2>Events as they are emitted</h2>
      </header>
      <p className="note">
        The journal is shown in development only. These are the events that were emitted to you since this
        page was opened; to how many they were sent is not known here.
      </p>
      <EventTable events={events} quiet="Nothing yet." />
    </section>
  );
}

function EventTable({ events, quiet }: { readonly events: readonly JournalEvent[]; readonly quiet: string }) {
  return (
    <div className="table-frame" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Event</th>
            <th scope="col">Topics</th>
            <th scope="col">Position</th>
            <th scope="col" className="number">
              Sent to
            </th>
          </tr>
        </thead>
        <tbody>
          {events.map(
            ({ id, position, kind: of, type, topics, channel, senderId, delivered, createdAt, payload }) => (
              <tr key={position || id} title={payload} data-event={id}>
                <td>
                  <time dateTime={createdAt}>{secondOf(createdAt)}</time>
                </td>
                <td>
                  <span className={`kind kind-${of}`}>{of}</span> {type}
                  {senderId && <small> by {senderId}</small>}
                </td>
                <td className="topics">{channel && of !== 'model' ? `#${channel}` : topics.join(', ')}</td>
                <td>
                  <code title={position}>…{position.slice(-8)}</code>
                </td>
                <td className="number">{delivered ?? '–'}</td>
              </tr>
            ),
          )}
        </tbody>
      </table>
      {events.length === 0 && <p className="quiet">{quiet}</p>}
    </div>
  );
}
