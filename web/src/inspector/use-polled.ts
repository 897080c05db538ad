import { useCallback, useEffect, useRef, useState } from 'react';

/** What `read` answers, asked again every so many milliseconds while the page is seen. */
export function usePolled<Value>(read: () => Promise<Value>, everyMs: number): Polled<Value> {
  const [value, setValue] = useState<Value | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const latest = useRef(read);
  useEffect(() => {
    latest.current = read;
  });
  const ask = useCallback(async () => {
    try {
      setValue(await latest.current());
      setProblem(null);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }, []);
  useEffect(() => {
    let isLeft = false;
    let timer: ReturnType<typeof setTimeout>;
    const again = async () => {
      if (!document.hidden) await ask();
      if (!isLeft) timer = setTimeout(again, everyMs);
    };
    void again();
    return () => {
      isLeft = true;
      clearTimeout(timer);
    };
  }, [ask, everyMs]);
  return { value, problem, ask };
}

interface Polled<Value> {
  /** Null before the first answer. */
  readonly value: Value | null;
  readonly problem: string | null;
  ask(): Promise<void>;
}
