import { signToken } from '../test/support/node-process.ts';
import { bodyOf, cpuOf, Load, pause, percentile, rivals, subscriptionTo } from './rivals.ts';
import type { Row } from './run.ts';

const channels = Array.from({ length: 1_000 }, (_, index) => `c${index}`);
const listeners = 5;
const each = 2;
const perSecond = 150;
const names = ['ours', 'floor', 'peer'] as const;

/** Many small channels: what a message costs, and not what its deliveries do. */
export async function channelsOfFive(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of names) {
    const rival = await rivals[name](channels);
    const load = new Load();
    const clients = channels.length * listeners;
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, index) => signToken(`user ${index}`)));
    // The floor knows no channels: there everybody would hear everything.
    const isFloor = name === 'floor';
    const connected = isFloor ? listeners : clients;
    const queries = channels.map(subscriptionTo);
    await load.order({
      do: 'connect',
      wire: 'websocket',
      port: rival.port,
      tokens,
      queries,
      clients: connected,
    });
    await pause(2_000);
    const heard = load.order({ do: 'expect', each: isFloor ? each * channels.length : each });
    await pause(100);
    const [cpu, startedAt] = [cpuOf(rival.pid), performance.now()];
    const publishes = each * channels.length;
    const answers: Promise<void>[] = [];
    for (let sent = 0; sent < publishes; sent += 1) {
      await pause(Math.max(0, startedAt + (sent * 1_000) / perSecond - performance.now()));
      answers.push(rival.publish(channels[sent % channels.length]!, bodyOf(isFloor ? 0 : sent + 1)));
    }
    await Promise.all(answers);
    const { latencies } = await heard;
    const deliveries = publishes * listeners;
    const at = (part: number) => Number(percentile(latencies, part).toFixed(1));
    rows.push({
      server: name,
      'µs/delivery': Number((((cpuOf(rival.pid) - cpu) / deliveries) * 1e6).toFixed(1)),
      'deliveries/s': Math.round(deliveries / ((performance.now() - startedAt) / 1_000)),
      'p50 ms': at(0.5),
      'p99 ms': at(0.99),
    });
    load.stop();
    await rival.stop();
  }
  return rows;
}
