import '../styles/inspector.css';
import { RealtimeProvider } from 'gravitycar-realtime-client/react';
import type { Desk } from '../desks.ts';
import { EmitForm } from './emit-form.tsx';
import { EmittedEvents, EventStream } from './event-stream.tsx';
import { Figures } from './figures.tsx';
import { Models } from './models.tsx';
import { Sessions } from './sessions.tsx';

/** What an administrator sees of a running server. */
export function Inspector({ desk, hasJournal }: InspectorProps) {
  if (!desk.person.roles.includes('admin')) {
    return (
      <p className="notice" role="alert">
        The inspector takes the role admin, and {desk.person.name} does not have it.
      </p>
    );
  }
  return (
    <RealtimeProvider client={desk.client}>
      <div className="inspector">
        <header className="inspector-head">
          <h1>Inspector</h1>
          <p>Signed in as {desk.person.name}. What is open on other nodes shows within a moment.</p>
        </header>
        <Figures />
        <div className="inspector-columns">
          {hasJournal ? <EventStream desk={desk} /> : <EmittedEvents />}
          <div className="inspector-side">
            <EmitForm />
            <Models />
          </div>
        </div>
        <Sessions />
      </div>
    </RealtimeProvider>
  );
}

interface InspectorProps {
  readonly desk: Desk;
  /** Whether the demo's backend is there, which reads it. */
  readonly hasJournal: boolean;
}
