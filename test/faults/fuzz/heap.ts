import WebSocket from 'ws';
import { until } from '../../support/until.ts';

/** Asks a process that was started with `--inspect` what it holds when all garbage has been collected, in MiB. */
export async function heapOf(inspectorPort: number): Promise<number> {
  const pages = (await (await fetch(`http://127.0.0.1:${inspectorPort}/json`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(pages[0]!.webSocketDebuggerUrl);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  let count = 0;
  const ask = (method: string, params = {}) =>
    new Promise<any>((resolve) => {
      const id = ++count;
      socket.on('message', function answered(data) {
        const { id: of, result } = JSON.parse(String(data));
        if (of !== id) return;
        socket.off('message', answered);
        resolve(result);
      });
      socket.send(JSON.stringify({ id, method, params }));
    });
  await ask('HeapProfiler.collectGarbage');
  await ask('HeapProfiler.collectGarbage');
  const expression = 'JSON.stringify(process.memoryUsage())';
  const { result } = await ask('Runtime.evaluate', { expression });
  socket.terminate();
  const { heapUsed, external } = JSON.parse(result.value);
  return (heapUsed + external) / 1_048_576;
}

/** The least of what it holds while it settles: connections that were cut are noticed by and by. */
export async function settledHeapOf(
  inspectorPort: number,
  isSettled: () => Promise<boolean>,
): Promise<number> {
  await until('the server has let everybody go', 60_000, isSettled);
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 5; look += 1) {
    least = Math.min(least, await heapOf(inspectorPort));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  return least;
}
