import { useConnection } from 'gravitycar-realtime-client/react';
import { useEffect, useState } from 'react';
import { Avatar } from './avatar.tsx';
import type { Desk } from './desks.ts';
import { Icon } from './icons.tsx';
import type { Person } from './people.ts';

interface ListedChannel {
  readonly name: string;
  readonly title: string | null;
  readonly kind: 'PUBLIC' | 'PRIVATE' | 'DIRECT';
}

const document = `query DemoChannels { channels(first: 100) { edges { node { name title kind } } } }`;

/** The channels that the viewer may read, and the colleagues, whom one can nudge. */
export function ChannelList({ desk, people, other, selected, select }: ChannelListProps) {
  const channels = useChannelNames(desk);
  const isThere = channels.some(({ name }) => name === selected);
  const [first] = channels;
  useEffect(() => {
    if (!isThere && first) select(first.name);
  }, [isThere, first, select]);
  const { said, nudge } = useNudge(desk);
  return (
    <nav className="channels" aria-label={`Channels of ${desk.person.name}`}>
      <h2>Channels</h2>
      <ul>
        {channels.map(({ name, title, kind }) => (
          <li key={name}>
            <button
              type="button"
              className="channel"
              title={title ?? undefined}
              aria-current={name === selected ? 'true' : undefined}
              onClick={() => select(name)}
            >
              <Icon name={kind === 'PUBLIC' ? 'hash' : 'lock'} />
              <span>{name}</span>
            </button>
          </li>
        ))}
      </ul>
      {other && (
        <button
          type="button"
          className="button button-small button-quiet nudge-other"
          onClick={() => nudge(other)}
        >
          <Icon name="bell" /> Nudge {other.name.split(' ')[0]}
        </button>
      )}
      {people.length > 0 && (
        <Colleagues people={people.filter(({ id }) => id !== desk.person.id)} nudge={nudge} />
      )}
      <p className="said" role="status">
        {said}
      </p>
    </nav>
  );
}

/** Where everybody begins stands first; the others come by name. */
const firstFirst = (one: ListedChannel, other: ListedChannel) =>
  Number(other.name === 'welcome') - Number(one.name === 'welcome');

/** Read again with each connection: a channel may have been made meanwhile. */
function useChannelNames({ client }: Desk): readonly ListedChannel[] {
  const [channels, setChannels] = useState<readonly ListedChannel[]>([]);
  const isConnected = useConnection().status === 'connected';
  useEffect(() => {
    let isLeft = false;
    client
      .execute<{ channels: { edges: { node: ListedChannel }[] } }, object>({ document })
      .then(({ channels: { edges } }) => {
        if (!isLeft) setChannels(edges.map(({ node }) => node).sort(firstFirst));
      })
      // The next connection tries again.
      .catch(() => {});
    return () => {
      isLeft = true;
    };
  }, [client, isConnected]);
  return channels;
}

function useNudge(desk: Desk): Nudging {
  const [said, setSaid] = useState('');
  return {
    said,
    nudge: async ({ id, name }) => {
      try {
        await desk.ask('/demo/nudge', 'POST', { userId: id });
        setSaid(`${name} has a notification from you.`);
      } catch (error) {
        setSaid((error as Error).message);
      }
    },
  };
}

function Colleagues({ people, nudge }: Pick<Nudging, 'nudge'> & { readonly people: readonly Person[] }) {
  return (
    <div className="colleagues">
      <h2>People</h2>
      <ul>
        {people.map((person) => (
          <li key={person.id}>
            <Avatar id={person.id} name={person.name} size="s" />
            <span className="colleague-name">{person.name}</span>
            <button type="button" className="link-button" onClick={() => nudge(person)}>
              Nudge<span className="hidden"> {person.name}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

interface Nudging {
  /** What became of the last one. */
  readonly said: string;
  /** Sends them a notification. */
  readonly nudge: (person: Person) => Promise<void>;
}

interface ChannelListProps {
  readonly desk: Desk;
  readonly people: readonly Person[];
  /** Who sits beside; null where nobody does. */
  readonly other: Person | null;
  readonly selected: string;
  readonly select: (name: string) => void;
}
