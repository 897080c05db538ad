import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';

/** A value that tells of its changes. */
interface Watched {
  onChange(listener: () => void): () => void;
}

/** What `read` answers of it, drawn again when it changes. */
export function useWatched<Of extends Watched, Value>(of: Of, read: (of: Of) => Value): Value {
  const subscribe = useCallback((listener: () => void) => of.onChange(listener), [of]);
  return useSyncExternalStore(subscribe, () => read(of));
}

/** The time, every `everyMs` milliseconds. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
