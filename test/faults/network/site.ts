import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { buildMain, NodeProcess } from '../../support/node-process.ts';
import { unlimited } from '../../support/unlimited.ts';
import { addressOf, createNetwork, delayCommand, on, removeNetwork, routeIntoDelay } from './namespaces.ts';
import { startPostgresOnHost, startRedisOnHost } from './servers.ts';

const delay = { ms: 200, jitterMs: 50 };

/** Two nodes, a PostgreSQL and a Redis, each on a host of its own. */
export interface Site {
  readonly nodes: Readonly<Record<'a' | 'b', NodeProcess>>;
  readonly databaseUrl: string;
  /** Null where packets cannot be delayed. */
  readonly delay: typeof delay | null;
  stop(): Promise<void>;
}

export async function startSite(): Promise<Site> {
  const main = await buildMain();
  const closing: (() => unknown)[] = [];
  const stop = async () => {
    for (const close of closing.splice(0).reverse()) await close();
  };
  createNetwork();
  closing.push(removeNetwork);
  // Also when it is interrupted.
  process.once('exit', removeNetwork);
  try {
    const delaying = await startDelay();
    const postgres = await startPostgresOnHost();
    closing.push(postgres.stop);
    const redis = await startRedisOnHost();
    closing.push(redis.stop);
    const environment = {
      ...unlimited,
      DRAIN_SECONDS: '1',
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
    };
    const node = (name: 'a' | 'b') =>
      new NodeProcess({
        name: `node ${name}`,
        main,
        host: addressOf(name),
        port: 4_000,
        environment,
        prefix: on(name),
      });
    const nodes = { a: node('a'), b: node('b') };
    closing.push(() => Promise.all([nodes.a.kill(), nodes.b.kill()]));
    await Promise.all([nodes.a.start(), nodes.b.start()]);
    return { nodes, databaseUrl: postgres.url, delay: delaying ? delay : null, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Removing the network ends it. */
async function startDelay(): Promise<ChildProcess | null> {
  const [program, ...parameters] = delayCommand(delay.ms, delay.jitterMs);
  const child = spawn(program!, parameters, { stdio: ['ignore', 'pipe', 'ignore'] });
  const isReady = await Promise.race([
    once(child.stdout, 'data').then(() => true),
    once(child, 'exit').then(() => false),
  ]);
  if (!isReady) return null;
  routeIntoDelay();
  return child;
}
