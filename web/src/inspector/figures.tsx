import { useRealtimeClient } from 'gravitycar-realtime-client/react';
import { usePolled } from './use-polled.ts';

interface Stats {
  readonly nodes: number;
  readonly connections: number;
  readonly subscriptions: number;
  readonly outboxDepth: number;
  readonly journalPosition: string;
}

const document =
  'query InspectorStats { stats { nodes connections subscriptions outboxDepth journalPosition } }';
const everyMs = 2_000;

/** How much there is: of the cluster by GraphQL, of this node by its metrics. */
export function Figures() {
  const client = useRealtimeClient();
  const { value: stats, problem } = usePolled(
    async () => (await client.execute<{ stats: Stats }, object>({ document })).stats,
    everyMs,
  );
  const { value: node } = usePolled(readMetrics, everyMs);
  return (
    <section aria-label="Figures">
      <dl className="figures">
        <Card name="Nodes" value={stats?.nodes} />
        <Card name="Connections" value={stats?.connections} />
        <Card name="Subscriptions" value={stats?.subscriptions} />
        <Card name="Groups" value={node?.get('realtime_groups')} note="this node" />
        <Card name="Topics" value={node?.get('realtime_topics')} note="this node" />
        <Card
          name="Delivered"
          value={node ? (node.get('realtime_deliveries_total') ?? 0) : null}
          note="this node"
        />
        <Card name="Waiting" value={stats?.outboxDepth} note="in the outbox" />
        <div className="card card-wide">
          <dt>Journal</dt>
          <dd>
            <code>{stats?.journalPosition ?? '–'}</code>
          </dd>
        </div>
      </dl>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </section>
  );
}

function Card({
  name,
  value,
  note,
}: {
  readonly name: string;
  readonly value: number | null | undefined;
  readonly note?: string;
}) {
  return (
    <div className="card">
      <dt>{name}</dt>
      <dd>{value == null ? '–' : value.toLocaleString()}</dd>
      {note && <dd className="note">{note}</dd>}
    </div>
  );
}

/** The metrics of this node by name, those with labels added up. Null where they take a token. */
async function readMetrics(): Promise<ReadonlyMap<string, number> | null> {
  const response = await fetch('/metrics');
  if (!response.ok) return null;
  const sums = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    const [, name, value] = /^(realtime_\w+)(?:\{[^}]*\})? (\S+)$/.exec(line) ?? [];
    if (name) sums.set(name, (sums.get(name) ?? 0) + Number(value));
  }
  return sums;
}
