import { useState } from 'react';
import { Avatar } from './avatar.tsx';
import { type Person, personOfToken } from './people.ts';

/** One click for a person of the demo; a token of one's own where there are none. */
export function SignIn({ people, choose, bring }: SignInProps) {
  return (
    <section className="sign-in">
      <h1>{people.length > 0 ? 'Who are you today?' : 'Sign in'}</h1>
      {people.length > 0 ? (
        <>
          <p className="lead">
            Choose somebody. There is no password: these people exist in development only.
          </p>
          <ul className="people">
            {people.map((person) => (
              <li key={person.id}>
                <button type="button" className="person" onClick={() => choose(person.id)}>
                  <Avatar id={person.id} name={person.name} size="l" />
                  <span className="person-name">{person.name}</span>
                  <span className="person-job">{person.job}</span>
                  {person.roles.includes('admin') && <span className="tag">admin</span>}
                </button>
              </li>
            ))}
          </ul>
        </>
      ) : (
        <p className="lead">
          Nobody can be signed in as with one click here. A token of your own works:{' '}
          <code>npm run -s token -- --user you</code> prints one.
        </p>
      )}
      <TokenForm isOpen={people.length === 0} bring={bring} />
    </section>
  );
}

function TokenForm({ isOpen, bring }: { readonly isOpen: boolean; readonly bring: (token: string) => void }) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  return (
    <details className="own-token" open={isOpen}>
      <summary>Use a token of your own</summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const trimmed = token.trim();
          if (personOfToken(trimmed)) bring(trimmed);
          else setProblem('That is not a token: it has three parts, divided by dots.');
        }}
      >
        <label htmlFor="own-token">Token</label>
        <input
          id="own-token"
          value={token}
          onChange={(event) => setToken(event.target.value)}
          autoComplete="off"
          spellCheck={false}
          aria-describedby={problem ? 'own-token-problem' : undefined}
          aria-invalid={problem !== null}
        />
        <button type="submit" className="button">
          Sign in
        </button>
        {problem && (
          <p id="own-token-problem" className="problem" role="alert">
            {problem}
          </p>
        )}
      </form>
    </details>
  );
}

interface SignInProps {
  readonly people: readonly Person[];
  readonly choose: (id: string) => void;
  readonly bring: (token: string) => void;
}
