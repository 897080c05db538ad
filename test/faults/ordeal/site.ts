import { readFileSync } from 'node:fs';
import { buildMain, NodeProcess } from '../../support/node-process.ts';
import { findPrograms, type OwnPostgres, startPostgres } from '../../support/postgres-server.ts';
import { type OwnRedis, startRedis, startRedisCluster } from '../../support/redis-server.ts';
import { unlimited } from '../../support/unlimited.ts';
import { lastingPorts } from '../rolling/ports.ts';
import type { Dice } from './dice.ts';

export const buses = ['redis', 'cluster', 'none'] as const;
export type BusKind = (typeof buses)[number];

const environment = {
  ...unlimited,
  DRAIN_SECONDS: '1',
  SEND_BUFFER_BYTES: '65536',
  NODE_OPTIONS: `--import=${new URL('./clock.mjs', import.meta.url).href}`,
};

/** A node of the site, and what is known of its state without asking it. */
export class Node extends NodeProcess {
  state: 'up' | 'frozen' | 'down' = 'down';
  /** Grows with each start and each freeze: a connection of an earlier one may be lost. */
  life = 0;
  /** How it ended when nobody had asked it to. */
  readonly falls: string[] = [];

  /** The most memory that any of its lives had, in MiB. */
  peak = 0;

  override async start(): Promise<number> {
    const took = await super.start();
    this.life += 1;
    this.state = 'up';
    void this.ended.then((code) => {
      if (this.state !== 'down') this.falls.push(`${this.name} ended by itself, with ${code}`);
    });
    return took;
  }

  weigh(): void {
    try {
      const [, kilobytes = '0'] =
        /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? [];
      this.peak = Math.max(this.peak, Math.round(Number(kilobytes) / 1_024));
    } catch {}
  }
}

/** PostgreSQL, Redis or none, and the nodes of one cluster, all of them real processes. */
export class Site {
  readonly nodes: readonly Node[];
  postgres: OwnPostgres;
  /** Troubles under way that events may be late by, and when the last one was over. */
  troubles = 0;
  calmSince = performance.now();
  slow = 0;
  /** The servers that make up the bus: one, the masters of a cluster, or none. */
  readonly redises: readonly OwnRedis[];
  readonly #programs: string;

  private constructor(nodes: readonly Node[], postgres: OwnPostgres, redises: readonly OwnRedis[]) {
    this.nodes = nodes;
    this.postgres = postgres;
    this.redises = redises;
    this.#programs = findPrograms()!;
  }

  static async start(count: number, bus: BusKind): Promise<Site> {
    const main = await buildMain();
    const postgres = await startPostgres(findPrograms()!);
    const redis = bus === 'redis' ? await startRedis() : null;
    const cluster = bus === 'cluster' ? await startRedisCluster() : null;
    const url = redis?.url ?? cluster?.url;
    const ports = await lastingPorts(count);
    const own = { ...environment, DATABASE_URL: postgres.url, ...(url ? { REDIS_URL: url } : {}) };
    const nodes = ports.map(
      (port, index) =>
        new Node({ name: `node ${index + 1}`, main, host: '127.0.0.1', port, environment: own }),
    );
    const site = new Site(nodes, postgres, cluster?.masters ?? (redis ? [redis] : []));
    await Promise.all(nodes.map((node) => node.start()));
    return site;
  }

  /** One that might answer; any when none is known to. */
  pick(dice: Dice): Node {
    const up = this.nodes.filter(({ state }) => state === 'up');
    return dice.pick(up.length > 0 ? up : this.nodes);
  }

  async leader(): Promise<Node | null> {
    for (const node of this.nodes) {
      if (node.state !== 'up') continue;
      const isLeading = await node.metric('realtime_relay_leading').catch(() => 0);
      if (isLeading === 1) return node;
    }
    return null;
  }

  /** How many connections have been too slow in the present lives of the nodes. */
  async countSlow(): Promise<void> {
    let count = 0;
    for (const node of this.nodes) {
      const text = await fetch(`${node.url}/metrics`, { signal: AbortSignal.timeout(2_000) })
        .then((response) => response.text())
        .catch(() => '');
      count += Number(/^realtime_catchups_total\{reason="slow"\} (\d+)$/m.exec(text)?.[1] ?? 0);
    }
    this.slow = Math.max(this.slow, count);
  }

  async restartPostgres(): Promise<void> {
    this.postgres = await startPostgres(this.#programs, this.postgres);
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) {
      node.state = 'down';
      node.signal('SIGCONT');
      await node.kill();
    }
    for (const redis of this.redises) await redis.stop();
    await this.postgres.stop();
  }
}
