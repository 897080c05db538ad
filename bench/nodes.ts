import { latencies } from '../test/faults/network/measure.ts';
import { wait } from '../test/faults/ordeal/dice.ts';
import type { BusKind, Node } from '../test/faults/ordeal/site.ts';
import { startSteady } from '../test/faults/ordeal/steady.ts';
import { until } from '../test/support/until.ts';
import type { Row } from './run.ts';

const perSecond = 500;
const warmMs = 4_000;
const forMs = 15_000;

/** From the leaving of a mutation to the arrival of its event on each of two nodes, at a steady rate. */
export async function nodes(): Promise<Row[]> {
  return [
    await measure('redis', 'nothing'),
    await measure('none', 'nothing'),
    await measure('redis', 'leader killed'),
  ];
}

async function measure(bus: BusKind, trouble: 'nothing' | 'leader killed'): Promise<Row> {
  const steady = await startSteady(bus, perSecond);
  try {
    const { leader, other } = await steady.roles();
    steady.sendTo(other);
    await wait(warmMs);
    const from = performance.now();
    await wait(forMs / 2);
    if (trouble === 'leader killed') await kill(leader);
    await wait(forMs / 2);
    const to = performance.now();
    await steady.sender.stop();
    await until('all is heard', 20_000, () =>
      steady.site.nodes.every(
        (node) => new Set(steady.followerOn(node).heard).size >= steady.sender.acknowledged.length,
      ),
    );
    const sent = steady.sender.acknowledged.filter((number) => steady.sender.sentAt[number]! > from).length;
    const of = (node: Node) => {
      const sorted = latencies(steady.sender, [steady.followerOn(node)], from, to).sort((a, b) => a - b);
      const at = (part: number) => Number(sorted[Math.floor((sorted.length - 1) * part)]!.toFixed(1));
      return [at(0.5), at(0.99), at(1)] as const;
    };
    const [here, there] = [of(other), of(leader)];
    return {
      bus,
      trouble,
      'reached, messages/s': Math.round((sent * 1_000) / (to - from)),
      'where it was sent, p50 ms': here[0],
      'p99 ms': here[1],
      'max ms': here[2],
      ...(trouble === 'nothing'
        ? { 'on the leader, p50 ms': there[0], 'leader p99 ms': there[1], 'leader max ms': there[2] }
        : {}),
    };
  } finally {
    await steady.stop();
  }
}

async function kill(node: Node): Promise<void> {
  node.signal('SIGKILL');
  await node.ended;
  await node.start();
}
