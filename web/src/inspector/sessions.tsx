import { useRealtimeClient } from 'gravitycar-realtime-client/react';
import { useState } from 'react';
import { useNow } from '../watched.ts';
import { agoOf } from '../when.ts';
import { usePolled } from './use-polled.ts';

interface Session {
  readonly id: string;
  readonly user: { readonly id: string; readonly name: string } | null;
  readonly node: string;
  readonly transport: 'WEBSOCKET' | 'SSE';
  readonly channels: readonly string[];
  readonly subscriptionCount: number;
  readonly ipAddress: string | null;
  readonly connectedAt: string;
}

interface Answer {
  readonly sessions: { readonly totalCount: number; readonly edges: readonly { readonly node: Session }[] };
}

const read = `query InspectorSessions {
  sessions(first: 100) {
    totalCount
    edges { node { id user { id name } node transport channels subscriptionCount ipAddress connectedAt } }
  }
}`;
const end =
  'mutation InspectorDisconnect($id: ID!) { disconnect(connectionId: $id, reason: "By an administrator") }';

/** Who is connected, newest first, and how to send them away. */
export function Sessions() {
  const client = useRealtimeClient();
  const now = useNow(5_000);
  const [said, setSaid] = useState('');
  const { value, problem, soon } = usePolled(
    async () => (await client.execute<Answer, object>({ document: read })).sessions,
    2_000,
  );

  async function disconnect({ id, user }: Session) {
    try {
      await client.execute({ document: end, variables: { id } });
      setSaid(`${user?.name ?? 'Somebody'} was sent away, and may come back.`);
      soon();
    } catch (error) {
      setSaid((error as Error).message);
    }
  }

  return (
    <section className="sessions" aria-label="Connections">
      <header>
        <h2>Connections</h2>
        <span className="tag">{value?.totalCount ?? '–'}</span>
        {value && value.totalCount > value.edges.length && (
          <p className="note">The newest {value.edges.length} are shown.</p>
        )}
        <p className="said" role="status">
          {said}
        </p>
      </header>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <div className="table-frame" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Who</th>
              <th scope="col">Wire</th>
              <th scope="col">Channels</th>
              <th scope="col" className="number">
                Subscriptions
              </th>
              <th scope="col">Node</th>
              <th scope="col">Address</th>
              <th scope="col">Since</th>
              <th scope="col">
                <span className="hidden">Action</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {value?.edges.map(({ node: session }) => (
              <tr key={session.id} data-session={session.id}>
                <td>{session.user?.name ?? '–'}</td>
                <td>{session.transport === 'SSE' ? 'SSE' : 'WebSocket'}</td>
                <td>{session.channels.join(', ') || '–'}</td>
                <td className="number">{session.subscriptionCount}</td>
                <td>
                  <code title={session.node}>{session.node.slice(-8)}</code>
                </td>
                <td>{session.ipAddress ?? '–'}</td>
                <td>{agoOf(Date.parse(session.connectedAt), now)}</td>
                <td>
                  <button
                    type="button"
                    className="link-button danger"
                    onClick={() => void disconnect(session)}
                  >
                    Disconnect<span className="hidden"> {session.user?.name}</span>
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
