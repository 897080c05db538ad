import { useState } from 'react';
import { Icon } from './icons.tsx';
import { hrefOf, type Place } from './place.ts';
import { isDark, readTheme, saveTheme } from './theme.ts';

const pages = [
  ['pair', 'Side by side'],
  ['sign-in', 'One person'],
  ['inspector', 'Inspector'],
] as const;

/** Where one is, and where else one can go. */
export function TopBar({ place, go }: TopBarProps) {
  return (
    <header className="top-bar">
      <a className="brand" href="/" aria-label="Gravitycar Realtime">
        <img src="/icon.svg" alt="" width="28" height="28" />
        <span>
          Gravitycar <b>Realtime</b>
        </span>
      </a>
      <nav aria-label="Pages">
        {pages.map(([page, title]) => {
          const target = { ...place, page };
          const isHere = place.page === page || (page === 'sign-in' && place.page === 'desk');
          return (
            <a
              key={page}
              href={hrefOf(target)}
              aria-current={isHere ? 'page' : undefined}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey || event.shiftKey) return;
                event.preventDefault();
                go(target);
              }}
            >
              {title}
            </a>
          );
        })}
        <a href="/graphql">GraphiQL</a>
      </nav>
      <ThemeSwitch />
    </header>
  );
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(readTheme);
  const dark = isDark(theme);
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={dark ? 'Switch to light' : 'Switch to dark'}
      title={dark ? 'Switch to light' : 'Switch to dark'}
      onClick={() => {
        const next = dark ? 'light' : 'dark';
        saveTheme(next);
        setTheme(next);
      }}
    >
      <Icon name={dark ? 'sun' : 'moon'} />
    </button>
  );
}

interface TopBarProps {
  readonly place: Place;
  readonly go: (place: Place) => void;
}
