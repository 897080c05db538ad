import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { useMemo, useState } from 'react';
import type { RealtimeClient, Request } from '../types.ts';
import { ListFeed, type ListPlan, type ListSnapshot, noListYet } from './list-feed.ts';
import {
  type BuiltInModels,
  changeStream,
  type ModelChange,
  type ModelChanges,
  modelStream,
  type RowFilter,
} from './models.ts';
import { useRealtimeClient } from './provider.ts';
import { createShelf } from './shelf.ts';
import { useFeed, whole } from './use-feed.ts';
import { useLatest } from './use-latest.ts';

/** The rows as they are, in one of two ways. It has to mean the same rows as the filter does. */
export type RowsSource<Row, Data, Variables> =
  | {
      /** From a backend of yours. It is asked again until it answers. */
      readonly load: (signal: AbortSignal) => Promise<readonly Row[]>;
      readonly query?: undefined;
    }
  | {
      /** From the server itself. */
      readonly query: Request<Data, Variables>;
      readonly select: (data: Data) => readonly Row[];
    };

/** The changes of the rows where the usual ones do not have what is shown. */
export interface ChangesSource<Row, Change extends ModelChange> {
  /** A subscription to `modelUpdated` with `recordId`, `membership`, and what the row is made of. */
  readonly document: TypedDocumentNode<ModelChanges<Change>, Record<string, unknown>> | string;
  /** Null for a change without a row. */
  readonly row: (change: Change) => Row | null;
}

export type LiveQueryOptions<Row, Data, Variables, Change extends ModelChange> = RowFilter &
  RowsSource<Row, Data, Variables> & {
    /** A model of the server's own, or a watched table's name. */
    readonly model: string;
    /** By default a model's own type, and of a watched table its columns. */
    readonly changes?: ChangesSource<Row, Change>;
    /** A row's record id. By default its `id` as text. */
    readonly idOf?: (row: Row) => string;
    /** By default in the order in which they were read, and new ones behind. */
    readonly sort?: (one: Row, other: Row) => number;
    /** When it is another one, everything is read anew. */
    readonly key?: string;
  };

export interface LiveList<Row> {
  readonly rows: readonly Row[];
  readonly loading: boolean;
  readonly error: Error | null;
  /** Reads everything anew, also after it was refused for good. */
  reload(): void;
}

/** Rows that are always what their query would answer: read once, and changed by every event since. */
export function useLiveQuery<
  Model extends string,
  Data = unknown,
  Variables = unknown,
  Row = Model extends keyof BuiltInModels ? BuiltInModels[Model] : unknown,
  Change extends ModelChange = ModelChange,
>(options: LiveQueryOptions<Row, Data, Variables, Change> & { readonly model: Model }): LiveList<Row> {
  const client = useRealtimeClient();
  // Its own: another component that asks for the same may make other rows of it.
  const [shelf] = useState(() => createShelf<ListFeed<Row>>());
  const latest = useLatest(options);
  const { model, ids, where, query, key: given, sort } = options;
  const key = JSON.stringify([model, ids, where, query?.variables, given]);
  const make = (changed: () => void) =>
    new ListFeed(
      client,
      planOf(client, () => latest.current),
      changed,
    );
  const snapshot = useFeed({ shelf, client, key, make }, noListYet, whole<ListSnapshot<Row>>);
  const rows = useMemo(() => {
    const found = [...snapshot.rows.values()];
    return sort ? found.sort(sort) : found;
  }, [snapshot.rows, sort]);
  return useMemo(() => {
    const { loading, error } = snapshot;
    return { rows, loading, error, reload: () => shelf.peek(client, key)?.reload() };
  }, [rows, snapshot, shelf, client, key]);
}

/** The filter is that of the beginning, whose key it is; the functions are those of now. */
function planOf<Row, Data, Variables, Change extends ModelChange>(
  client: RealtimeClient,
  options: () => LiveQueryOptions<Row, Data, Variables, Change>,
): ListPlan<Row> {
  const { model, ids, where, changes } = options();
  return {
    load: async (signal) => {
      const { idOf = idIn, ...now } = options();
      const rows = await rowsOf(client, now, signal);
      return new Map(rows.map((row) => [idOf(row), row]));
    },
    changes: (told) => {
      if (!changes) return modelStream(model, { ids, where }, told);
      const variables = { model, ...(ids && { ids }), ...(where && { where }) };
      const rowOf = (change: Change) => options().changes?.row(change) ?? null;
      return changeStream({ document: changes.document, variables }, rowOf, told);
    },
  };
}

async function rowsOf<Row, Data, Variables>(
  client: RealtimeClient,
  source: RowsSource<Row, Data, Variables>,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  if (!source.query) return source.load(signal);
  return source.select(await client.execute(source.query, { signal }));
}

function idIn(row: unknown): string {
  const { id } = (row ?? {}) as { id?: unknown };
  if (typeof id !== 'string' && typeof id !== 'number')
    throw new TypeError('A row has no `id`: give `idOf`.');
  return String(id);
}
