/** What a page is told of the machine and of who looks at it. */
export interface PageEvents {
  /** There is a network again, or somebody looks at the page again. */
  awake(): void;
  offline(): void;
}

/** Where there is a window; elsewhere nothing is told. Answers how to stop. */
export function watchPage({ awake, offline }: PageEvents): () => void {
  if (typeof window === 'undefined' || typeof document === 'undefined') return () => {};
  const seen = () => {
    if (document.visibilityState === 'visible') awake();
  };
  window.addEventListener('online', awake);
  window.addEventListener('offline', offline);
  // Also when the browser takes a page out of its cache, with its timers and sockets as they were left.
  window.addEventListener('pageshow', seen);
  document.addEventListener('visibilitychange', seen);
  return () => {
    window.removeEventListener('online', awake);
    window.removeEventListener('offline', offline);
    window.removeEventListener('pageshow', seen);
    document.removeEventListener('visibilitychange', seen);
  };
}
