/** For how long one turn of the event loop may be held by each line, in milliseconds. */
export const turnMs = 3;

/** Neither waits for the other: a storm of resumes does not hold up what happens now, nor the other way round. */
const lines: Record<'live' | 'catching up', (() => void)[]> = { live: [], 'catching up': [] };
let isScheduled = false;

/**
 * Resolves in a later turn of the event loop, in the order of asking: who has much to do does it in parts, and
 * between them sockets are read and timers run. Each turn lets on as many as there is time for.
 */
export function nextTurn(line: keyof typeof lines): Promise<void> {
  return new Promise((resolve) => {
    lines[line].push(resolve);
    schedule();
  });
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(letOn);
}

async function letOn(): Promise<void> {
  await letOnFrom('live');
  await letOnFrom('catching up');
  isScheduled = false;
  if (lines.live.length + lines['catching up'].length > 0) schedule();
}

async function letOnFrom(line: keyof typeof lines): Promise<void> {
  const until = performance.now() + turnMs;
  const due = lines[line];
  lines[line] = [];
  let index = 0;
  while (index < due.length && performance.now() < until) {
    due[index]!();
    index += 1;
    // Whoever was let on does its part now, or as much of it as comes before it waits for something.
    await settled;
    await settled;
    await settled;
  }
  lines[line] = [...due.slice(index), ...lines[line]];
}

const settled = Promise.resolve();
