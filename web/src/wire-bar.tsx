import type { Connection } from 'gravitycar-realtime-client';
import { useConnection } from 'gravitycar-realtime-client/react';
import { useState } from 'react';
import type { Desk } from './desks.ts';
import { Icon } from './icons.tsx';
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
  const { tone, words, countdown } = describe(connection, isCut, now);
  const [problem, setProblem] = useState<string | null>(null);
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
          <span className="dot" aria-hidden="true" />
          <span>
            {words}
            {/* Not read out each second. */}
            {countdown && <span aria-hidden="true">{countdown}</span>}
          </span>
        </p>
        {canChat && <Chatter desk={desk} channel={channel} failed={setProblem} />}
      </div>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <dl className="tally">
        <Figure name="Received" value={tally.received} />
        <Figure
          name="Missed"
          value={tally.checkedAt === null ? null : tally.missed}
          isGood={tally.missed === 0}
        />
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
  /** Null: not known yet. */
  readonly value: number | null;
  readonly isGood?: boolean;
}) {
  const look = isGood === undefined || value === null ? '' : isGood ? ' is-good' : ' is-bad';
  return (
    <div className={`figure${look}`} data-figure={name.toLowerCase()}>
      <dt>{name}</dt>
      <dd>{value ?? '–'}</dd>
    </div>
  );
}

/** Others write although this wire may be cut: their request goes another way. */
function Chatter({ desk, channel, failed }: ChatterProps) {
  const [isBusy, setIsBusy] = useState(false);
  const target = channel === 'launch' ? 'launch' : 'welcome';
  async function talk() {
    setIsBusy(true);
    failed(null);
    try {
      await desk.askAside('/demo/chatter', 'POST', { channel: target, count: chatterCount });
    } catch (error) {
      failed((error as Error).message);
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

function describe(connection: Connection, isCut: boolean, now: number): Description {
  if (isCut) return { tone: 'cut', words: 'The wire is cut' };
  switch (connection.status) {
    case 'connected':
      return { tone: 'live', words: connection.transport === 'ws' ? 'Live over WebSocket' : 'Live over SSE' };
    case 'waiting':
      return {
        ...{ tone: 'waiting', words: 'Cut off' },
        countdown: `, back in ${Math.max(0, Math.ceil((connection.retryAt - now) / 1_000))} s`,
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

interface Description {
  readonly tone: string;
  readonly words: string;
  readonly countdown?: string;
}

interface ChatterProps extends Pick<WireBarProps, 'desk' | 'channel'> {
  /** Told why, and null when it begins anew. */
  readonly failed: (problem: string | null) => void;
}

interface WireBarProps {
  readonly desk: Desk;
  /** Which channel is looked at. */
  readonly channel: string;
  readonly canChat: boolean;
}
