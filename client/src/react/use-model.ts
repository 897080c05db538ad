import { useMemo } from 'react';
import type { RealtimeClient } from '../types.ts';
import { ListFeed, type ListSnapshot, noListYet } from './list-feed.ts';
import { type BuiltInModels, isBuiltIn, modelStream, readBuiltIn } from './models.ts';
import { useRealtimeClient } from './provider.ts';
import { createShelf } from './shelf.ts';
import { useFeed, whole } from './use-feed.ts';
import { useLatest } from './use-latest.ts';

const records = createShelf<ListFeed<object>>();

/** Those whose rows are read by id. */
export type ReadableModel = Exclude<keyof BuiltInModels, 'Message'>;

export interface LiveRecord<Row> {
  /** Null while it is being read, and where there is none that the viewer may see. */
  readonly record: Row | null;
  readonly loading: boolean;
  readonly error: Error | null;
  /** Reads it anew, also after it was refused for good. */
  reload(): void;
}

export interface RecordOptions<Row> {
  /** From a backend of yours; null where there is none. It is asked again until it answers. */
  readonly load: (id: string, signal: AbortSignal) => Promise<Row | null>;
}

/**
 * One row of a model, as it is. Components that ask for the same row share one subscription. An `id` of null asks for
 * nothing.
 */
export function useModel<Model extends ReadableModel>(
  model: Model,
  id: string | null,
): LiveRecord<BuiltInModels[Model]>;
export function useModel<Row extends object>(
  model: string,
  id: string | null,
  options: RecordOptions<Row>,
): LiveRecord<Row>;
export function useModel(
  model: string,
  id: string | null,
  options?: RecordOptions<object>,
): LiveRecord<object> {
  const client = useRealtimeClient();
  const latest = useLatest(options);
  const key = id === null ? null : JSON.stringify([model, id]);
  const make = (changed: () => void) => recordFeed(client, model, id!, () => latest.current, changed);
  const place = { shelf: records, client, key, make };
  const { rows, loading, error } = useFeed(place, noListYet, whole<ListSnapshot<object>>);
  const record = (id === null ? undefined : rows.get(id)) ?? null;
  return useMemo(
    () => ({
      ...{ record, loading: loading && key !== null, error },
      reload: () => (key === null ? undefined : records.peek(client, key)?.reload()),
    }),
    [record, loading, error, client, key],
  );
}

function recordFeed(
  client: RealtimeClient,
  model: string,
  id: string,
  options: () => RecordOptions<object> | undefined,
  changed: () => void,
): ListFeed<object> {
  const read = (signal: AbortSignal): Promise<object | null> => {
    const own = options();
    if (own) return own.load(id, signal);
    if (isBuiltIn(model) && model !== 'Message') return readBuiltIn(client, model, id, signal);
    throw new TypeError(`Nothing says how a row of "${model}" is read: give \`load\`.`);
  };
  const plan = {
    load: async (signal: AbortSignal) => {
      const record = await read(signal);
      return new Map(record ? [[id, record]] : []);
    },
    changes: (told: Parameters<typeof modelStream<object>>[2]) => modelStream(model, { ids: [id] }, told),
  };
  return new ListFeed(client, plan, changed);
}
