import { signToken } from '../test/support/node-process.ts';
import { bodyOf, Load, memoryOf, pause, percentile, rivals, subscriptionTo } from './rivals.ts';
import type { Row } from './run.ts';

const clients = 300;
const frozen = 3;
/** Large, so that a frozen reader's share is more than the kernel keeps for it. */
const bytes = 8_000;
const perSecond = 40;
const publishes = 600;

/** What the neighbours of a few who have stopped reading notice of them. */
export async function slow(): Promise<Row[]> {
  const rival = await rivals.ours(['general']);
  const load = new Load();
  const tokens = [await signToken('user')];
  const queries = [subscriptionTo('general')];
  await load.order({ do: 'connect', wire: 'websocket', port: rival.port, tokens, queries, clients });
  let index = 0;
  const round = async (readers: string): Promise<Row> => {
    const heard = load.order({ do: 'expect', each: publishes });
    const startedAt = performance.now();
    let memory = 0;
    for (let sent = 0; sent < publishes; sent += 1) {
      await pause(Math.max(0, startedAt + (sent * 1_000) / perSecond - performance.now()));
      index += 1;
      await rival.publish('general', bodyOf(index, bytes));
      memory = Math.max(memory, memoryOf(rival.pid));
    }
    const { latencies } = await heard;
    const at = (part: number) => Number(percentile(latencies, part).toFixed(1));
    const figures = { 'p50 ms': at(0.5), 'p99 ms': at(0.99), 'most MiB': Math.round(memory / 1_024) };
    return { readers, clients, ...figures };
  };
  try {
    await round('to warm up');
    const all = await round('all read');
    await load.order({ do: 'freeze', clients: frozen });
    return [all, await round(`${frozen} frozen`), await round(`${frozen} frozen for a while`)];
  } finally {
    load.stop();
    await rival.stop();
  }
}
