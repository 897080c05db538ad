import { signToken } from '../test/support/node-process.ts';
import { cpuOf, Load, median, pause, rivals, subscriptionTo } from './rivals.ts';
import type { Row } from './run.ts';

const clients = 5_000;
const warmups = 2_000;
const users = 500;
const rounds = 3;
const channels = Array.from({ length: 10 }, (_, index) => `c${index}`);
const names = ['ours', 'floor', 'peer'] as const;

/** What it costs to let somebody in: two handshakes, a token where one is checked, and one subscription. */
export async function connect(): Promise<Row[]> {
  const costs: Record<(typeof names)[number], number[]> = { ours: [], floor: [], peer: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) costs[name].push(await measure(name));
  }
  const floor = median(costs.floor);
  return names.map((name) => ({
    server: name,
    clients,
    'µs/connection': Math.round(median(costs[name])),
    '× floor': Number((median(costs[name]) / floor).toFixed(2)),
  }));
}

async function measure(name: (typeof names)[number]): Promise<number> {
  const rival = await rivals[name](channels);
  const load = new Load();
  const tokens = await Promise.all(Array.from({ length: users }, (_, index) => signToken(`user ${index}`)));
  const queries = channels.map(subscriptionTo);
  const order = { do: 'connect', wire: 'websocket', port: rival.port, tokens, queries } as const;
  await load.order({ ...order, clients: warmups });
  await load.order({ do: 'leave' });
  await pause(1_000);
  const cpu = cpuOf(rival.pid);
  await load.order({ ...order, clients });
  // The last have subscribed, and what they asked for is still being answered.
  await pause(500);
  const seconds = cpuOf(rival.pid) - cpu;
  load.stop();
  await rival.stop();
  return (seconds / clients) * 1e6;
}
