import type { Connection } from 'gravitycar-realtime-client';
import { useConnection } from 'gravitycar-realtime-client/react';
import { useState } from 'react';
import type { Desk } from './desks.ts';
import { Icon } from './icons.tsx';
import { tokensOf } from './people.ts';
import { useNow, useWatched } from './watched.ts';
import { agoOf } from './when.ts';

/** How many messages the others write at a time. */
const chatterCount = 20;

/** The switch that cuts the wire, and what has come over it. */
export function WireBar({ desk, channel, canChat }: WireBarProps) {
  const { wire, ledger } = desk;
  const isCut = useWatched(wire, (watched) => watched.isCut);
  const tally = useWatched(ledger, (watched) => watched.tally);
  const connection = useConnection();
  const now = useNow(1_000);
  const { tone, words } = describe(connection, isCut, now);
  return (
    <footer className={`wire-bar wire-${tone}`}>
      <div className="wire-line">
        <button
          type="button"
          className={isCut ? 'button button-small cut is-cut' : 'button button-small cut'}
          aria-pressed={isCut}
          onClick={() => (isCut ? wire.mend() : wire.cut())}
        >
          <Icon name={isCut ? 'plug' : 'cut'} />
          {isCut ? 'Mend the wire' : 'Cut the wire'}
        </button>
        <p className="wire-state" role="status">
          <span className="dot" aria-hidden="true" /> {words}
        </p>
        {canChat && <Chatter desk={desk} channel={channel} />}
      </div>
      <dl className="tally">
        <Figure name="Received" value={tally.received} />
        <Figure name="Missed" value={tally.missed} isGood={tally.missed === 0} />
        <Figure name="Repeated" value={tally.repeated} isGood={tally.repeated === 0} />
        <div className="figure">
          <dt>Latency</dt>
          <dd>{latencyOf(connection)}</dd>
        </div>
        <div className="figure figure-position" title={tally.position ?? undefined}>
          <dt>Position</dt>
          <dd>
            <code>{tally.position ? `…${tally.position.slice(-8)}` : '–'}</code>
          </dd>
        </div>
        <div className="figure figure-checked" title="Compared with the lists of the server">
          <dt>Compared</dt>
          <dd>{tally.checkedAt === null ? 'not yet' : agoOf(tally.checkedAt, now)}</dd>
        </div>
      </dl>
    </footer>
  );
}

function Figure({
  name,
  value,
  isGood,
}: {
  readonly name: string;
  readonly value: number;
  readonly isGood?: boolean;
}) {
  const look = isGood === undefined ? '' : isGood ? ' is-good' : ' is-bad';
  return (
    <div className={`figure${look}`} data-figure={name.toLowerCase()}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** Others write although this wire may be cut: their request goes another way. */
function Chatter({ desk, channel }: Pick<WireBarProps, 'desk' | 'channel'>) {
  const [isBusy, setIsBusy] = useState(false);
  const target = channel === 'launch' ? 'launch' : 'welcome';
  async function talk() {
    setIsBusy(true);
    try {
      const token = await tokensOf(desk.person.id, fetch)();
      await fetch('/demo/chatter', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ channel: target, count: chatterCount }),
      });
    } finally {
      setIsBusy(false);
    }
  }
  return (
    <button
      type="button"
      className="button button-small button-quiet chatter"
      disabled={isBusy}
      onClick={() => void talk()}
    >
      <Icon name="wave" /> <span className="chatter-words">Let others write </span>
      {chatterCount}
    </button>
  );
}

function describe(connection: Connection, isCut: boolean, now: number): { tone: string; words: string } {
  if (isCut) return { tone: 'cut', words: 'The wire is cut' };
  switch (connection.status) {
    case 'connected':
      return { tone: 'live', words: connection.transport === 'ws' ? 'Live over WebSocket' : 'Live over SSE' };
    case 'waiting':
      return {
        tone: 'waiting',
        words: `Back in ${Math.max(0, Math.ceil((connection.retryAt - now) / 1_000))} s`,
      };
    case 'refused':
      return { tone: 'cut', words: `Refused: ${connection.reason}` };
    case 'connecting':
      return { tone: 'waiting', words: 'Connecting …' };
    default:
      return { tone: 'waiting', words: 'Not connected' };
  }
}

function latencyOf(connection: Connection): string {
  if (connection.status !== 'connected' || connection.latencyMs === null) return '–';
  return connection.latencyMs < 1 ? '< 1 ms' : `${Math.round(connection.latencyMs)} ms`;
}

interface WireBarProps {
  readonly desk: Desk;
  /** Which channel is looked at. */
  readonly channel: string;
  readonly canChat: boolean;
}
