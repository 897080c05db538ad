import { type Client, createClient } from 'graphql-ws';

/** What a list needs to be told of a change. */
export interface ListEvent<Row> {
  readonly recordId: string;
  readonly membership: 'ENTERED' | 'STAYED' | 'LEFT';
  readonly data: Row | null;
}

/**
 * Rows by their id, and one more change. A row that has been deleted meanwhile enters without content: it is left
 * out, and its leaving follows.
 */
export function applyTo<Row>(rows: Map<string, Row>, { recordId, membership, data }: ListEvent<Row>): void {
  if (membership === 'LEFT') rows.delete(recordId);
  else if (data !== null) rows.set(recordId, data);
}

/** The state that a list begins with, as of a position: rows that are newer than that do no harm. */
export interface ListState<Row> {
  readonly position: string;
  readonly rows: ReadonlyMap<string, Row>;
}

export interface LiveListOptions<Row> {
  /** The address of the WebSocket, `ws://localhost:4000/graphql`. */
  readonly url: string;
  readonly token: () => string | Promise<string>;
  /** Where there is none, as in Node before 22: that of the package `ws`. */
  readonly webSocketImpl?: unknown;
  readonly model: string;
  /** Column to value, or to a list of values. */
  readonly where?: Record<string, unknown>;
  /** Asks for `position` first, and for the rows after: from your own backend, or from ours in one query. */
  load(): Promise<ListState<Row>>;
  changed(rows: ReadonlyMap<string, Row>): void;
  /** The list is not live any more: the model is not there, or not to be seen, or the state cannot be loaded. */
  failed(error: unknown): void;
}

const document = `subscription List($model: String!, $where: JSON, $after: Position) {
  modelUpdated(model: $model, where: $where, after: $after) { recordId membership data }
}`;

/**
 * A list that is always what its query would answer: a state, and every change behind it, once and in order. It
 * continues behind the last change after a cut, and begins anew when it is told that it cannot. Answers how to stop.
 */
export function liveList<Row>({
  url,
  token,
  webSocketImpl,
  model,
  where,
  load,
  changed,
  failed,
}: LiveListOptions<Row>): () => void {
  const client: Client = createClient({
    url,
    webSocketImpl,
    connectionParams: async () => ({ token: await token() }),
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
  });
  let isStopped = false;
  let leave = () => {};
  follow().catch(failed);
  return () => {
    isStopped = true;
    leave();
    void client.dispose();
  };

  async function follow(): Promise<void> {
    while (!isStopped) {
      const state = await load();
      const rows = new Map(state.rows);
      // Read by the client each time it subscribes, again after a cut.
      const extensions = { after: state.position };
      changed(rows);
      const events = client.iterate<{ modelUpdated: ListEvent<Row> }, { position: string }>({
        query: document,
        variables: { model, where },
        extensions,
      });
      leave = () => void events.return?.();
      try {
        for await (const { data, errors, extensions: told } of events) {
          if (errors) throw errors;
          applyTo(rows, data!.modelUpdated);
          extensions.after = told!.position;
          changed(rows);
        }
      } catch (error) {
        if (!isExpired(error)) throw error;
      }
    }
  }
}

const isExpired = (error: unknown) =>
  Array.isArray(error) && error.some(({ extensions }) => extensions?.code === 'POSITION_EXPIRED');
