import postgres from 'postgres';
import { type Dice, wait } from './dice.ts';
import type { Listener } from './listener.ts';
import type { Flood } from './sender.ts';
import type { Node, Site } from './site.ts';

export interface Scene {
  readonly site: Site;
  readonly dice: Dice;
  readonly listeners: readonly Listener[];
  readonly flood: Flood;
}

export interface Trouble {
  readonly name: string;
  readonly weight: number;
  /** What of the site it is about: two troubles of one kind are not made at once. */
  readonly touches: 'nodes' | 'redis' | 'postgres' | 'clients' | 'nothing';
  make(scene: Scene): Promise<void>;
}

const floodMs = 5_000;
const floodSize = 500;

/** Half of the time the one that leads. */
async function victim({ site, dice }: Scene): Promise<Node> {
  const leads = dice.chance(0.5);
  const any = dice.pick(site.nodes);
  return (leads && (await site.leader())) || any;
}

async function end(node: Node, signal: 'SIGKILL' | 'SIGTERM', downMs: number): Promise<void> {
  if (node.state !== 'up') return;
  node.weigh();
  node.state = 'down';
  node.signal(signal);
  const code = await node.ended;
  if (signal === 'SIGTERM' && code !== 0) node.falls.push(`${node.name} drained and ended with ${code}`);
  await wait(downMs);
  await node.start();
}

/** Stops the process where it is, and lets it go on. */
export async function freeze({ listeners, dice }: Scene, node: Node, forMs: number): Promise<void> {
  if (node.state !== 'up') return;
  node.state = 'frozen';
  node.signal('SIGSTOP');
  // Some clients notice, others wait for it.
  for (const listener of listeners) if (dice.chance(0.5) && listener.node === node) listener.cut();
  await wait(forMs);
  node.signal('SIGCONT');
  node.life += 1;
  node.state = 'up';
}

/** Makes one, and has it known that events may be late meanwhile. */
export async function make(trouble: Trouble, scene: Scene): Promise<void> {
  const { site } = scene;
  // Clients that misbehave are no excuse for lateness.
  if (trouble.touches === 'clients' || trouble.touches === 'nothing') return trouble.make(scene);
  if (trouble.touches === 'redis' && site.redises.length === 0) return;
  site.troubles += 1;
  try {
    await trouble.make(scene);
  } finally {
    site.troubles -= 1;
    site.calmSince = performance.now();
  }
}

export const troubles: readonly Trouble[] = [
  {
    ...{ name: 'kill a node', weight: 4, touches: 'nodes' },
    make: async (scene) => end(await victim(scene), 'SIGKILL', scene.dice.between(0, 3_000)),
  },
  {
    ...{ name: 'drain a node', weight: 3, touches: 'nodes' },
    make: async (scene) => end(await victim(scene), 'SIGTERM', scene.dice.between(0, 3_000)),
  },
  {
    ...{ name: 'pause a node', weight: 3, touches: 'nodes' },
    make: async (scene) => freeze(scene, await victim(scene), scene.dice.between(500, 6_000)),
  },
  {
    ...{ name: 'pause the leader for 15 s', weight: 2, touches: 'nodes' },
    make: async (scene) => {
      const leader = await scene.site.leader();
      if (leader) await freeze(scene, leader, 15_000);
    },
  },
  {
    ...{ name: 'kill all nodes at once', weight: 1, touches: 'nodes' },
    make: async ({ site, dice }) => {
      const downMs = dice.between(0, 2_000);
      await Promise.all(site.nodes.map((node) => end(node, 'SIGKILL', downMs)));
    },
  },
  {
    ...{ name: 'jump a clock by an hour', weight: 1, touches: 'nodes' },
    make: async (scene) => (await victim(scene)).signal('SIGUSR2'),
  },
  {
    ...{ name: 'kill Redis', weight: 4, touches: 'redis' },
    make: async ({ site, dice }) => {
      const redis = dice.pick(site.redises);
      const downMs = dice.between(0, 8_000);
      if (!redis) return;
      await redis.kill();
      await wait(downMs);
      await redis.restart();
    },
  },
  {
    ...{ name: 'freeze Redis', weight: 2, touches: 'redis' },
    make: async ({ site, dice }) => {
      const redis = dice.pick(site.redises);
      const forMs = dice.between(500, 8_000);
      redis?.freeze();
      await wait(redis ? forMs : 0);
      redis?.thaw();
    },
  },
  {
    ...{ name: 'stop PostgreSQL hard', weight: 2, touches: 'postgres' },
    make: async ({ site, dice }) => {
      const downMs = dice.between(0, 5_000);
      await site.postgres.kill();
      await wait(downMs);
      await site.restartPostgres();
    },
  },
  {
    ...{ name: 'end all database sessions', weight: 3, touches: 'postgres' },
    make: async ({ site }) => {
      const sql = postgres(site.postgres.url, { max: 1, connect_timeout: 2, onnotice: () => {} });
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'gravitycar-realtime'`;
      await sql.end();
    },
  },
  {
    ...{ name: 'drop the connections of a node', weight: 3, touches: 'clients' },
    make: async ({ site, dice, listeners }) => {
      const node = dice.pick(site.nodes);
      for (const listener of listeners) if (listener.node === node) listener.cut();
    },
  },
  {
    ...{ name: 'have clients not read', weight: 3, touches: 'clients' },
    make: async ({ dice, listeners }) => {
      const forMs = dice.between(500, 5_000);
      for (const listener of listeners) if (dice.chance(0.2)) listener.pause(forMs);
      await wait(forMs);
    },
  },
  {
    ...{ name: 'flood clients that do not read', weight: 2, touches: 'clients' },
    make: async ({ site, dice, listeners, flood }) => {
      for (const listener of listeners) if (dice.chance(0.2)) listener.pause(floodMs);
      await Promise.all([flood.pour(floodSize, dice), wait(floodMs)]);
      await site.countSlow();
    },
  },
  {
    ...{ name: 'nothing', weight: 2, touches: 'nothing' },
    make: ({ dice }) => wait(dice.between(500, 3_000)),
  },
  {
    ...{ name: 'quiet', weight: 2, touches: 'nothing' },
    // Longer than a lease, so that what is promised of a site without troubles can be seen.
    make: () => wait(12_000),
  },
];
