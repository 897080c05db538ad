import DataLoader from 'dataloader';

const usualMost = 1_000;

/**
 * Loads many by one call, and has one call under way at a time: who asks meanwhile is in the next. So a crowd
 * makes larger calls and not more of them. An error in the place of a value is told to who asked for that one, and a
 * promise is waited for by nobody else.
 */
export function inBatches<Key, Value>(
  load: (keys: readonly Key[]) => Promise<readonly (Value | Error | Promise<Value>)[]>,
  mostAtOnce = usualMost,
): (key: Key) => Promise<Value> {
  let underWay: Promise<unknown> = Promise.resolve();
  let last = underWay;
  const loader = new DataLoader<Key, Value>(
    (keys) => {
      const loading = load(keys) as Promise<readonly (Value | Error)[]>;
      underWay = loading.catch(() => {});
      return loading;
    },
    {
      cache: false,
      maxBatchSize: mostAtOnce,
      // A full batch has the next behind it at once: each waits for the one before it, and not all for the same.
      batchScheduleFn: (start) => {
        last = last
          .then(() => new Promise((resolve) => setImmediate(resolve)))
          .then(() => {
            start();
            return underWay;
          });
      },
    },
  );
  return (key) => loader.load(key);
}
