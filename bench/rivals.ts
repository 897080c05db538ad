import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { freePort } from '../test/support/free-port.ts';
import { buildMain, NodeProcess, signToken } from '../test/support/node-process.ts';
import { post } from '../test/support/post.ts';
import { findPrograms, startPostgres } from '../test/support/postgres-server.ts';
import { startRedis } from '../test/support/redis-server.ts';
import { unlimited } from '../test/support/unlimited.ts';
import type { Order, Report } from './load.ts';

/** A server that is measured. */
export interface Rival {
  readonly name: 'ours' | 'floor' | 'peer';
  readonly port: number;
  readonly pid: number;
  /** Where ours keeps what it is told. */
  readonly databaseUrl?: string;
  /** `apart`: by a connection of its own, and not by one that is kept. */
  publish(channel: string, body: string, apart?: boolean): Promise<void>;
  stop(): Promise<void>;
}

export type Start = () => Promise<Rival>;

const ticksPerSecond = 100;
const mostIdleMs = 3_000;
const send =
  'mutation Send($channel: String!, $body: String!) { sendMessage(input: { channel: $channel, body: $body }) { id } }';
export const subscriptionTo = (channel: string) =>
  `subscription { channelMessage(channel: "${channel}") { id body createdAt sender { id name } } }`;

/** What nothing that is measured is to come up against. */
export const generous = { ...unlimited, DRAIN_SECONDS: '0' };

/** The three, each alone while it is measured. */
export const rivals: Record<Rival['name'], (channels: readonly string[]) => Promise<Rival>> = {
  ours: (channels) => startOurs(channels),

  async floor() {
    const { child, port, stop } = await launch('servers/floor.ts', []);
    return { name: 'floor', port, pid: child.pid!, publish: publisher(`http://127.0.0.1:${port}`, ''), stop };
  },

  async peer() {
    const redis = await startRedis();
    const { child, port, stop } = await launch('servers/peer.ts', [redis.url]);
    const publish = publisher(`http://127.0.0.1:${port}`, '');
    return { name: 'peer', port, pid: child.pid!, publish, stop: () => stop().then(() => redis.stop()) };
  },
};

/** With PostgreSQL and Redis of its own. */
export async function startOurs(
  channels: readonly string[],
  settings: Readonly<Record<string, string>> = generous,
): Promise<Rival> {
  const [database, redis] = [await startPostgres(findPrograms()!), await startRedis()];
  const port = await freePort();
  const environment = { DATABASE_URL: database.url, REDIS_URL: redis.url, ...settings };
  const node = new NodeProcess({
    name: 'node',
    main: await buildMain(),
    host: '127.0.0.1',
    port,
    environment,
  });
  await node.start();
  const token = await signToken('owner');
  for (const name of channels) {
    const query = `mutation { createChannel(input: { name: "${name}" }) { id } }`;
    const { errors } = await post(node.url, { token }, { query });
    if (errors) throw new Error(JSON.stringify(errors));
  }
  const stop = async () => {
    await node.kill();
    await redis.stop();
    await database.stop();
  };
  const publish = publisher(node.url, token);
  return { name: 'ours', port, pid: node.pid!, databaseUrl: database.url, publish, stop };
}

function publisher(url: string, token: string): Rival['publish'] {
  let agent = new Agent({ keepAlive: true });
  let usedAt = performance.now();
  return async (channel, body, apart = false) => {
    // A server closes what has been idle for five seconds, perhaps just when it is used again.
    if (performance.now() - usedAt > mostIdleMs) {
      agent.destroy();
      agent = new Agent({ keepAlive: true });
    }
    usedAt = performance.now();
    const { errors } = await post(
      url,
      { token, agent: apart ? new Agent({ keepAlive: false }) : agent, withinMs: 120_000 },
      { query: send, variables: { channel, body } },
    );
    if (errors) throw new Error(JSON.stringify(errors));
  };
}

async function launch(path: string, parameters: readonly string[]) {
  const child = fork(new URL(path, import.meta.url).pathname, [...parameters], {
    execArgv: ['--import', 'tsx'],
  });
  const [port] = (await once(child, 'message')) as [number];
  const stop = async () => {
    const ended = once(child, 'exit');
    child.disconnect();
    await ended;
  };
  return { child, port, stop };
}

/** The process that all clients are in. */
export class Load {
  readonly #child: ChildProcess = fork(new URL('load.ts', import.meta.url).pathname, {
    execArgv: ['--import', 'tsx'],
  });

  async order(what: Order): Promise<Report> {
    this.#child.send(what);
    const [report] = await Promise.race([once(this.#child, 'message'), once(this.#child, 'exit')]);
    if (typeof report !== 'object') throw new Error('The clients gave up.');
    return report as Report;
  }

  stop(): void {
    this.#child.disconnect();
  }
}

/** A message that says when it left, and its number; with what is around it, about 200 bytes. */
export function bodyOf(index: number, length = 120): string {
  return `${(performance.timeOrigin + performance.now()).toFixed(3)} ${index} `.padEnd(length, 'x');
}

/** What the operating system has counted so far, in seconds. */
export function cpuOf(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(11, 13);
  return (Number(user) + Number(system)) / ticksPerSecond;
}

/** Resident now, in KiB. */
export function memoryOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
}

export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)]!;
}

export function percentile(values: readonly number[], part: number): number {
  return values.toSorted((one, other) => one - other)[Math.floor((values.length - 1) * part)] ?? Number.NaN;
}

export const pause = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
