import { useState } from 'react';
import { Avatar } from './avatar.tsx';
import { DeskView } from './desk-view.tsx';
import { clearDesk, deskAt } from './desks.ts';
import type { Person } from './people.ts';
import { RestartHint } from './restart-hint.tsx';

/** Two people in one window, each with a connection of their own; on a phone one at a time. */
export function PairView({ people, left, right, choose }: PairViewProps) {
  const [shown, setShown] = useState<'left' | 'right'>('left');
  const sides = [['left', left, right] as const, ['right', right, left] as const];
  return (
    <div className="pair">
      <div className="pair-intro">
        <div>
          <h1>Two people, two connections</h1>
          <p>Cut one wire, let the others write, and mend it: nothing is missing, and nothing comes twice.</p>
        </div>
        <RestartHint />
      </div>
      <div className="pair-choice" role="group" aria-label="Whose side is shown">
        {sides.map(([side, person]) => (
          <button key={side} type="button" aria-pressed={shown === side} onClick={() => setShown(side)}>
            <Avatar id={person.id} name={person.name} size="s" /> {person.name}
          </button>
        ))}
      </div>
      <div className="pair-desks">
        {sides.map(([side, person, other]) => (
          <div key={side} className={shown === side ? 'side is-shown' : 'side'}>
            <DeskView
              key={person.id}
              desk={deskAt(side, person, null)}
              people={people}
              other={other}
              change={(id) => {
                clearDesk(side, person);
                // Who sat at the other side changes places.
                if (id === other.id) clearDesk(side === 'left' ? 'right' : 'left', other);
                const otherId = id === other.id ? person.id : other.id;
                if (side === 'left') choose(id, otherId);
                else choose(otherId, id);
              }}
            />
          </div>
        ))}
      </div>
    </div>
  );
}

interface PairViewProps {
  readonly people: readonly Person[];
  readonly left: Person;
  readonly right: Person;
  readonly choose: (left: string, right: string) => void;
}
