import { useCallback, useEffect, useRef, useState } from 'react';

/** However often it is asked for, it is read no more often than this. */
const soonMs = 250;

/** What `read` answers, asked again every so many milliseconds while the page is seen, one after another. */
export function usePolled<Value>(read: () => Promise<Value>, everyMs: number): Polled<Value> {
  const [value, setValue] = useState<Value | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const latest = useRef(read);
  useEffect(() => {
    latest.current = read;
  });
  const hurry = useRef(() => {});
  useEffect(() => {
    const state = { isLeft: false, isReading: false, isWanted: false };
    let timer: ReturnType<typeof setTimeout>;
    const look = async () => {
      state.isWanted = false;
      state.isReading = true;
      try {
        if (!document.hidden) {
          const found = await latest.current();
          if (state.isLeft) return;
          setValue(found);
          setProblem(null);
        }
      } catch (error) {
        if (state.isLeft) return;
        setProblem((error as Error).message);
      }
      state.isReading = false;
      timer = setTimeout(look, state.isWanted ? soonMs : everyMs);
    };
    hurry.current = () => {
      if (state.isWanted) return;
      state.isWanted = true;
      if (state.isReading) return;
      clearTimeout(timer);
      timer = setTimeout(look, soonMs);
    };
    void look();
    return () => {
      state.isLeft = true;
      clearTimeout(timer);
      hurry.current = () => {};
    };
  }, [everyMs]);
  const soon = useCallback(() => hurry.current(), []);
  return { value, problem, soon };
}

interface Polled<Value> {
  /** Null before the first answer. */
  readonly value: Value | null;
  readonly problem: string | null;
  /** Does not wait for the next time. */
  soon(): void;
}
