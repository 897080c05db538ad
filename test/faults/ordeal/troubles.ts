import postgres from 'postgres';
import { type Dice, wait } from './dice.ts';
import type { Listener } from './listener.ts';
import type { Node, Site } from './site.ts';

export interface Scene {
  readonly site: Site;
  readonly dice: Dice;
  readonly listeners: readonly Listener[];
}

export interface Trouble {
  readonly name: string;
  readonly weight: number;
  /** What of the site it is about: two troubles of one kind are not made at once. */
  readonly touches: 'nodes' | 'redis' | 'postgres' | 'clients';
  make(scene: Scene): Promise<void>;
}

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
  await node.ended;
  await wait(downMs);
  await node.start();
}

/** Stops the process where it is, and lets it go on. */
export async function freeze({ listeners, dice }: Scene, node: Node, forMs: number): Promise<void> {
  if (node.state !== 'up') return;
  node.state = 'frozen';
  node.signal('SIGSTOP');
  // Some clients notice, others wait for it.
  for (const listener of listeners) if (listener.node === node && dice.chance(0.5)) listener.cut();
  await wait(forMs);
  node.signal('SIGCONT');
  node.state = 'up';
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
    ...{ name: 'nothing', weight: 2, touches: 'clients' },
    make: ({ dice }) => wait(dice.between(500, 3_000)),
  },
];
