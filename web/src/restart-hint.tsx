import { Icon } from './icons.tsx';

/** What else can be done to the connection. */
export function RestartHint() {
  return (
    <p className="restart-hint">
      <Icon name="plug" />
      <span>
        <b>Or restart the server now:</b> <kbd>Ctrl</kbd> <kbd>C</kbd>, then <code>npm start</code>
      </span>
    </p>
  );
}
