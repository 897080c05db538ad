import { lazy, Suspense, useEffect, useState } from 'react';
import { DeskView } from './desk-view.tsx';
import { clearDesk, clearOwnDesks, deskAt } from './desks.ts';
import { PairView } from './pair-view.tsx';
import { fetchPeople, type Person, personOfToken } from './people.ts';
import { hrefOf, readPlace } from './place.ts';
import { SignIn } from './sign-in.tsx';
import { TopBar } from './top-bar.tsx';

/** Most never open it. */
const Inspector = lazy(() =>
  import('./inspector/inspector.tsx').then(
    ({ Inspector }) => ({ default: Inspector }),
    () => ({ default: NoInspector }),
  ),
);

function NoInspector() {
  return (
    <p className="notice" role="alert">
      The inspector could not be loaded. <a href="/inspector">Try again</a>
    </p>
  );
}

/** The whole demo: who is at the page, and what they look at. */
export function App() {
  const [place, setPlace] = useState(readPlace);
  const [people, setPeople] = useState<readonly Person[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [ownToken, setOwnToken] = useState<string | null>(null);

  useEffect(() => {
    fetchPeople().then(setPeople, (error: Error) => setFailure(error.message));
    const follow = () => setPlace(readPlace());
    addEventListener('popstate', follow);
    return () => removeEventListener('popstate', follow);
  }, []);

  function go(next: typeof place) {
    history.pushState(null, '', hrefOf(next));
    setPlace(next);
  }

  function hold(token: string | null) {
    clearOwnDesks();
    setOwnToken(token);
  }

  if (failure) {
    return (
      <Shell place={place} go={go}>
        <p className="notice" role="alert">
          The server did not answer: {failure} <a href={hrefOf(place)}>Try again</a>
        </p>
      </Shell>
    );
  }
  if (!people) return <Shell place={place} go={go} />;

  const ownPerson = ownToken === null ? null : personOfToken(ownToken);
  const find = (id: string | null) => people.find((person) => person.id === id) ?? null;
  const wanted =
    place.page === 'inspector'
      ? (people.find(({ roles }) => roles.includes('admin')) ?? null)
      : find(place.as);
  const person = ownPerson ?? wanted;

  if (place.page === 'pair' && people.length >= 2) {
    const left = find(place.left) ?? people[0]!;
    return (
      <Shell place={place} go={go}>
        <PairView
          people={people}
          left={left}
          right={find(place.right) ?? people.find((other) => other !== left)!}
          choose={(left, right) => go({ ...place, left, right })}
        />
      </Shell>
    );
  }
  if (!person || place.page === 'sign-in') {
    return (
      <Shell place={place} go={go}>
        <SignIn
          people={people}
          choose={(as) => {
            hold(null);
            go({ ...place, page: 'desk', as });
          }}
          bring={(token) => {
            hold(token);
            if (place.page !== 'inspector') go({ ...place, page: 'desk' });
          }}
        />
      </Shell>
    );
  }
  const desk = deskAt(place.page, person, ownToken);
  if (place.page === 'inspector') {
    return (
      <Shell place={place} go={go}>
        <Suspense>
          <Inspector desk={desk} hasJournal={people.length > 0} />
        </Suspense>
      </Shell>
    );
  }
  return (
    <Shell place={place} go={go}>
      <h1 className="hidden">Gravitycar Realtime</h1>
      <DeskView
        key={person.id}
        desk={desk}
        people={people}
        change={(as) => {
          clearDesk(place.page, person);
          hold(null);
          go({ ...place, as });
        }}
      />
    </Shell>
  );
}

const titles = { pair: 'Side by side', desk: 'One person', 'sign-in': 'Sign in', inspector: 'Inspector' };

function Shell({ place, go, children }: ShellProps) {
  useEffect(() => {
    document.title = `${titles[place.page]} · Gravitycar Realtime`;
  }, [place.page]);
  return (
    <div className={`page page-${place.page}`}>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <TopBar place={place} go={go} />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

interface ShellProps {
  readonly place: ReturnType<typeof readPlace>;
  readonly go: (place: ReturnType<typeof readPlace>) => void;
  readonly children?: React.ReactNode;
}
