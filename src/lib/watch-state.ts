const lookMs = 500;

/** Looks twice a second, and tells of each change; good is what is expected first. The answer ends it. */
export function watchState(isGood: () => boolean, changed: (isGood: boolean) => void): () => void {
  let was = true;
  const timer = setInterval(() => {
    const is = isGood();
    if (is === was) return;
    was = is;
    changed(is);
  }, lookMs);
  return () => clearInterval(timer);
}
