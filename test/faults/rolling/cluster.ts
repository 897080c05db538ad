import { buildMain, NodeProcess, signToken } from '../../support/node-process.ts';
import { ask } from '../../support/post.ts';
import { findPrograms, startPostgres } from '../../support/postgres-server.ts';
import { startRedis } from '../../support/redis-server.ts';
import { unlimited } from '../../support/unlimited.ts';
import { type Nginx, startNginx } from './nginx.ts';
import { lastingPorts } from './ports.ts';

/** Three nodes behind one nginx, on a PostgreSQL and a Redis of their own. */
export interface Cluster {
  readonly nodes: readonly NodeProcess[];
  readonly nginx: Nginx;
  stop(): Promise<void>;
}

export async function startCluster(): Promise<Cluster> {
  const main = await buildMain();
  const closing: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    const postgres = await startPostgres(findPrograms()!);
    closing.push(postgres.stop);
    const redis = await startRedis();
    closing.push(redis.stop);
    const [nginxPort, ...nodePorts] = await lastingPorts(4);
    const nodes = nodePorts.map((port, index) => {
      const environment = {
        ...unlimited,
        DATABASE_URL: postgres.url,
        REDIS_URL: redis.url,
        DRAIN_SECONDS: '3',
        TRUSTED_PROXIES: '127.0.0.1',
      };
      return new NodeProcess({ name: `node ${index + 1}`, main, host: '127.0.0.1', port, environment });
    });
    closing.push(async () => void (await Promise.all(nodes.map((node) => node.kill()))));
    await Promise.all(nodes.map((node) => node.start()));
    const nginx = await startNginx(nginxPort!, nodePorts);
    closing.push(nginx.stop);
    return { nodes, nginx, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Public channels of one owner; answers the owner's token and the position before all messages. */
export async function createChannels(url: string, names: readonly string[]) {
  const token = await signToken('ada');
  for (const name of names) {
    await ask(
      url,
      token,
      'mutation Create($name: String!) { createChannel(input: { name: $name }) { id } }',
      { name },
    );
  }
  const { position } = await ask(url, token, '{ position }');
  return { token, position: position as string };
}
