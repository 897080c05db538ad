import { useRealtimeClient } from 'gravitycar-realtime-client/react';
import { usePolled } from './use-polled.ts';

interface WatchedModel {
  readonly id: string;
  readonly name: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly audience: string;
  readonly disabledReason: string | null;
}

const document = 'query InspectorModels { watchedModels { id name table columns audience disabledReason } }';

/** Which tables are told of. */
export function Models() {
  const client = useRealtimeClient();
  const { value: models, problem } = usePolled(
    async () => (await client.execute<{ watchedModels: WatchedModel[] }, object>({ document })).watchedModels,
    10_000,
  );
  return (
    <section className="panel" aria-label="Watched tables">
      <h2>Watched tables</h2>
      <ul className="models">
        {(models ?? []).map(({ id, name, table, columns, audience, disabledReason }) => (
          <li key={id}>
            <b>{name}</b> <code>{table}</code> <span className="tag">{audience.toLowerCase()}</span>
            <p>{disabledReason ?? columns.join(', ')}</p>
          </li>
        ))}
      </ul>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {models?.length === 0 && <p className="quiet">No table is watched.</p>}
    </section>
  );
}
