import { RealtimeProvider } from 'gravitycar-realtime-client/react';
import { useEffect, useState } from 'react';
import { Avatar } from './avatar.tsx';
import { ChannelList } from './channel-list.tsx';
import { Chat } from './chat.tsx';
import type { Desk } from './desks.ts';
import { Icon } from './icons.tsx';
import { Inbox } from './inbox.tsx';
import type { Person } from './people.ts';
import { Tasks } from './tasks.tsx';
import { WireBar } from './wire-bar.tsx';

/** Everything that one person works with. It lays itself out by its own width. */
export function DeskView({ desk, people, other = null, change }: DeskViewProps) {
  const [channel, setChannel] = useState('welcome');
  const [view, setView] = useState<'chat' | 'tasks'>('chat');
  const { person } = desk;
  // The table and its editor come with the people.
  const hasTasks = people.length > 0;
  useAudits(desk);
  return (
    <RealtimeProvider client={desk.client}>
      <section className="desk" aria-label={`${person.name}'s desk`}>
        <div className={hasTasks ? 'desk-inside' : 'desk-inside without-tasks'} data-view={view}>
          <header className="desk-head">
            <Avatar id={person.id} name={person.name} />
            <PersonChoice person={person} people={people} change={change} />
            {hasTasks && (
              <div className="segments" role="group" aria-label="What is shown">
                <button type="button" aria-pressed={view === 'chat'} onClick={() => setView('chat')}>
                  Chat
                </button>
                <button type="button" aria-pressed={view === 'tasks'} onClick={() => setView('tasks')}>
                  Tasks
                </button>
              </div>
            )}
            <Inbox />
          </header>
          <ChannelList desk={desk} people={people} other={other} selected={channel} select={setChannel} />
          <Chat key={channel} name={channel} viewer={person} />
          {hasTasks && <Tasks desk={desk} people={people} />}
          <WireBar desk={desk} channel={channel} canChat={hasTasks} />
        </div>
      </section>
    </RealtimeProvider>
  );
}

const auditEveryMs = 15_000;
/** What was told behind the position has mostly come by then. */
const auditAfterMs = 1_500;

/** Looks whether anything is missing: after each return of the connection, and now and then. */
function useAudits({ client, ledger }: Desk): void {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let isConnected = false;
    const line = () => client.connection.status === 'connected' && client.connection.connectionId;
    const look = () => {
      if (line()) ledger.audit(line).catch(() => {});
      timer = setTimeout(look, auditEveryMs);
    };
    const follow = () => {
      const is = client.connection.status === 'connected';
      if (is && !isConnected) {
        clearTimeout(timer);
        timer = setTimeout(look, auditAfterMs);
      }
      isConnected = is;
    };
    follow();
    const leave = client.onConnection(follow);
    return () => {
      leave();
      clearTimeout(timer);
    };
  }, [client, ledger]);
}

function PersonChoice({ person, people, change }: PersonChoiceProps) {
  if (people.length === 0) return <span className="desk-name">{person.name}</span>;
  return (
    <label className="person-choice">
      <span className="hidden">Signed in as</span>
      <select value={person.id} onChange={(event) => change(event.target.value)}>
        {!people.some(({ id }) => id === person.id) && <option value={person.id}>{person.name}</option>}
        {people.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      <span className="desk-job">
        {person.job}
        {person.roles.includes('admin') && ' · admin'}
      </span>
      <Icon name="users" />
    </label>
  );
}

interface PersonChoiceProps {
  readonly person: Person;
  readonly people: readonly Person[];
  readonly change: (id: string) => void;
}

interface DeskViewProps extends Omit<PersonChoiceProps, 'person'> {
  readonly desk: Desk;
  /** Who sits beside. */
  readonly other?: Person | null;
}
