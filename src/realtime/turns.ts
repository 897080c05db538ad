/** For how long one turn of the event loop may be held, in milliseconds. */
export const turnMs = 3;

let waiting: (() => void)[] = [];
let isScheduled = false;

/**
 * Resolves in a later turn of the event loop, in the order of asking: who has much to do does it in parts, and
 * between them sockets are read and timers run. Each turn lets on as many as there is time for.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    schedule();
  });
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(letOn);
}

async function letOn(): Promise<void> {
  const until = performance.now() + turnMs;
  const due = waiting;
  waiting = [];
  let index = 0;
  while (index < due.length && performance.now() < until) {
    due[index]!();
    index += 1;
    // Whoever was let on does its part now, or as much of it as comes before it waits for something.
    await settled;
    await settled;
    await settled;
  }
  waiting = [...due.slice(index), ...waiting];
  isScheduled = false;
  if (waiting.length > 0) schedule();
}

const settled = Promise.resolve();
