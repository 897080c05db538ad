import { atRandom, ordeal } from '../ordeal/ordeal.ts';
import { type BusKind, buses } from '../ordeal/site.ts';

/** Troubles at random on two or three nodes. The seed draws the same troubles again; the machine's timing is its own. */
export async function run(options: Record<string, string | undefined>): Promise<void> {
  const seed = Number(options.seed ?? Math.floor(Math.random() * 100_000));
  const minutes = Number(options.minutes ?? 5);
  const nodes = Number(options.nodes ?? 3);
  const bus: BusKind = buses.find((kind) => kind === options.bus) ?? 'redis';
  console.log(
    `seed ${seed}: npm run faults -- random --seed ${seed} --minutes ${minutes} --nodes ${nodes} --bus ${bus}`,
  );
  await ordeal({
    ...{ seed, nodes, bus, listeners: 40, senders: 16, pauseMs: 250 },
    script: atRandom(minutes * 60_000),
    tell: (line) => console.log(line),
  });
}
