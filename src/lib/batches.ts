import DataLoader from 'dataloader';

const mostAtOnce = 1_000;

/**
 * Loads many by one call, and has one call under way at a time: who asks meanwhile is in the next. So a crowd
 * makes larger calls and not more of them.
 */
export function inBatches<Key, Value>(
  load: (keys: readonly Key[]) => Promise<readonly Value[]>,
): (key: Key) => Promise<Value> {
  let last: Promise<unknown> = Promise.resolve();
  const loader = new DataLoader<Key, Value>(
    (keys) => {
      const loading = load(keys);
      last = loading.catch(() => {});
      return loading;
    },
    {
      cache: false,
      maxBatchSize: mostAtOnce,
      batchScheduleFn: (start) => void last.then(() => setImmediate(start)),
    },
  );
  return (key) => loader.load(key);
}
