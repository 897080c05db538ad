import { signToken } from '../test/support/node-process.ts';
import type { Wire } from './load.ts';
import {
  bodyOf,
  cpuOf,
  Load,
  median,
  pause,
  percentile,
  type Rival,
  rivals,
  subscriptionTo,
} from './rivals.ts';
import type { Row } from './run.ts';

interface Cell {
  readonly wire: Wire;
  readonly clients: number;
  readonly publishes: number;
  /** Undefined: as fast as they are taken. */
  readonly perSecond?: number;
}

const wires: readonly Wire[] = ['websocket', 'sse'];
const cells: readonly Cell[] = wires.flatMap((wire) => [
  { wire, clients: 100, publishes: 300, perSecond: 60 },
  { wire, clients: 1_000, publishes: 120, perSecond: 20 },
  { wire, clients: 5_000, publishes: 24, perSecond: 4 },
  { wire, clients: 1_000, publishes: 200 },
  { wire, clients: 5_000, publishes: 200 },
]);
const users = 50;
/** So many messages to a few clients until what is compiled is compiled, and so many more deliveries to all of them. */
const warmups = { messages: 4_000, clients: 20, deliveries: 200_000 };
/** As many wait for their answer at once in a burst. */
const abreast = 50;
/**
 * With more clients than this a stock server is busy for so long with what it was told that it closes connections
 * for having been idle, perhaps just when they are used again. Then each message comes by one of its own, to all
 * servers alike.
 */
const mostByKept = 500;
const rounds = process.argv.includes('--thorough') ? 5 : process.argv.includes('--once') ? 1 : 3;
const names = ['ours', 'floor', 'peer'] as const;

/** One channel, and everybody in it. `--only websocket,1000,burst` narrows it down. */
export async function fanout(): Promise<Row[]> {
  const only = process.argv[process.argv.indexOf('--only') + 1]?.split(',') ?? [];
  const isAsked = ({ wire, clients, perSecond }: Cell) =>
    !process.argv.includes('--only') ||
    only.every((word) => [wire, String(clients), perSecond ? 'paced' : 'burst'].includes(word));
  const rows: Row[] = [];
  for (const cell of cells.filter(isAsked)) {
    const results: Record<Rival['name'], Result[]> = { ours: [], floor: [], peer: [] };
    for (let round = 0; round < rounds; round += 1) {
      for (const name of names) results[name].push(await measure(name, cell));
    }
    rows.push(...names.map((name) => rowOf(name, cell, results)));
    console.table(rows.slice(-names.length));
  }
  return rows;
}

interface Result {
  readonly microseconds: number;
  readonly loadMicroseconds: number;
  readonly perSecond: number;
  readonly latencies: readonly number[];
}

async function measure(name: Rival['name'], { wire, clients, publishes, perSecond }: Cell): Promise<Result> {
  const rival = await rivals[name](['general']);
  const load = new Load();
  try {
    const tokens = await Promise.all(Array.from({ length: users }, (_, index) => signToken(`user ${index}`)));
    const queries = [subscriptionTo('general')];
    const connect = { do: 'connect', wire, port: rival.port, tokens, queries } as const;
    await load.order({ ...connect, clients: warmups.clients });
    await publishAll(rival, load, { clients: warmups.clients, publishes: warmups.messages });
    await load.order({ do: 'leave' });
    await load.order({ ...connect, clients });
    await publishAll(rival, load, {
      clients,
      publishes: Math.min(200, warmups.deliveries / clients),
    });
    await pause(300);
    const [cpu, startedAt] = [cpuOf(rival.pid), performance.now()];
    const { latencies, cpuSeconds } = await publishAll(rival, load, { clients, publishes, perSecond });
    const deliveries = clients * publishes;
    return {
      microseconds: ((cpuOf(rival.pid) - cpu) / deliveries) * 1e6,
      loadMicroseconds: (cpuSeconds / deliveries) * 1e6,
      perSecond: deliveries / ((performance.now() - startedAt - 150) / 1_000),
      latencies,
    };
  } finally {
    load.stop();
    await rival.stop();
  }
}

let index = 0;

async function publishAll(
  { publish }: Rival,
  load: Load,
  { clients, publishes: count, perSecond }: Pick<Cell, 'clients' | 'publishes' | 'perSecond'>,
) {
  const apart = clients > mostByKept;
  const heard = load.order({ do: 'expect', each: count });
  // A publish that fails stops the clients: that is to be told, and not that they stopped.
  heard.catch(() => {});
  await pause(50);
  if (perSecond === undefined) {
    let left = count;
    const one = async () => {
      while (left > 0) {
        left -= 1;
        index += 1;
        await publish('general', bodyOf(0), apart);
      }
    };
    await Promise.all(Array.from({ length: Math.min(abreast, count) }, one));
  } else {
    const startedAt = performance.now();
    for (let sent = 0; sent < count; sent += 1) {
      await pause(Math.max(0, startedAt + (sent * 1_000) / perSecond - performance.now()));
      index += 1;
      await publish('general', bodyOf(index), apart);
    }
  }
  return heard;
}

function rowOf(
  name: Rival['name'],
  { wire, clients, perSecond }: Cell,
  results: Record<Rival['name'], Result[]>,
): Row {
  const cost = (of: Rival['name']) => median(results[of].map(({ microseconds }) => microseconds));
  const latencies = results[name].flatMap(({ latencies }) => latencies);
  const at = (part: number) => Number(percentile(latencies, part).toFixed(1));
  return {
    wire,
    clients,
    rhythm: perSecond ? 'paced' : 'burst',
    server: name,
    'µs/delivery': Number(cost(name).toFixed(2)),
    '× floor': Number((cost(name) / cost('floor')).toFixed(2)),
    '× peer': Number((cost(name) / cost('peer')).toFixed(2)),
    'load µs': Number(median(results[name].map(({ loadMicroseconds }) => loadMicroseconds)).toFixed(2)),
    'deliveries/s': Math.round(median(results[name].map(({ perSecond }) => perSecond))),
    'p50 ms': at(0.5),
    'p95 ms': at(0.95),
    'p99 ms': at(0.99),
  };
}
