import { type RefObject, useInsertionEffect, useRef } from 'react';

/** What a component was last drawn with, for what happens afterwards. */
export function useLatest<Value>(value: Value): RefObject<Value> {
  const latest = useRef(value);
  useInsertionEffect(() => {
    latest.current = value;
  }, [value]);
  return latest;
}
