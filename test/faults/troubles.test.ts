import { expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { ordeal } from './ordeal/ordeal.ts';
import type { BusKind, Node, Site } from './ordeal/site.ts';
import { freeze, make, troubles } from './ordeal/troubles.ts';

/** Longer than the lease of whoever leads. */
const pauseMs = 4_500;

const cases: [string, number, BusKind, readonly string[]][] = [
  [
    'three nodes with Redis, of which nodes, Redis and PostgreSQL are killed and the leader is paused,',
    ...([3, 'redis'] as const),
    ['kill a node', 'kill Redis', 'stop PostgreSQL hard', 'pause the leader', 'drain a node', 'freeze Redis'],
  ],
  [
    'two nodes with a Redis Cluster, of which a master and a node are killed,',
    ...([2, 'cluster'] as const),
    ['kill Redis', 'kill a node', 'end all database sessions', 'kill Redis'],
  ],
  [
    'two nodes without Redis, of which the leader is killed and paused and the database restarts,',
    ...([2, 'none'] as const),
    ['kill a node', 'pause the leader', 'stop PostgreSQL hard', 'drop the connections of a node'],
  ],
];

test.each(cases)(
  '%s lose nothing, repeat nothing and show everybody one order',
  async (_what, nodes, bus, names) => {
    const lines: string[] = [];
    const held = ordeal({
      ...{ seed: 7, nodes, bus, listeners: 16, senders: 8, pauseMs: 60 },
      tell: (line) => lines.push(line),
      script: async (scene) => {
        for (const name of names) {
          if (name === 'pause the leader') {
            await freeze(scene, await someLeader(scene.site), pauseMs);
            continue;
          }
          const trouble = troubles.find((each) => each.name === name);
          if (!trouble) throw new Error(`There is no trouble “${name}”.`);
          await make(trouble, scene);
        }
      },
    });
    await expect(held, lines.join('\n')).resolves.toBeUndefined();
  },
);

/** Whoever leads once one of them does: after the end of another that takes a while. */
async function someLeader(site: Site): Promise<Node> {
  let leader: Node | null = null;
  await until('one of the nodes leads', 15_000, async () => {
    leader = await site.leader();
    return leader !== null;
  });
  return leader!;
}
