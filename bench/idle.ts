import { signToken } from '../test/support/node-process.ts';
import { Load, memoryOf, pause, rivals, subscriptionTo } from './rivals.ts';
import type { Row } from './run.ts';

const clients = 5_000;
const users = 500;
const channels = Array.from({ length: 10 }, (_, index) => `c${index}`);
const names = ['ours', 'floor', 'peer'] as const;
/** Memory is steady when it has changed by less than this between two looks. */
const steadyKib = 512;

/** What a connection with one subscription costs that has nothing to say. */
export async function idle(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of names) {
    const rival = await rivals[name](channels);
    const load = new Load();
    const tokens = await Promise.all(Array.from({ length: users }, (_, index) => signToken(`user ${index}`)));
    const queries = channels.map(subscriptionTo);
    const connect = (count: number) =>
      load.order({ do: 'connect', wire: 'websocket', port: rival.port, tokens, queries, clients: count });
    // What the first connections load and compile is not theirs.
    await connect(500);
    await load.order({ do: 'leave' });
    const before = await steady(rival.pid);
    await connect(clients);
    const after = await steady(rival.pid);
    rows.push({
      server: name,
      clients,
      'MiB before': Math.round(before / 1_024),
      'MiB after': Math.round(after / 1_024),
      'KiB each': Number(((after - before) / clients).toFixed(1)),
    });
    load.stop();
    await rival.stop();
  }
  return rows;
}

async function steady(pid: number): Promise<number> {
  let last = 0;
  for (let now = memoryOf(pid); Math.abs(now - last) > steadyKib; now = memoryOf(pid)) {
    last = now;
    await pause(4_000);
  }
  return last;
}
