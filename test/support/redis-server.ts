import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';

export interface ProvidedRedis {
  readonly url: string;
  stop(): Promise<void>;
}

/** A server of our own: it can be ended without its leave, frozen, and started again on the same port. */
export interface OwnRedis extends ProvidedRedis {
  readonly port: number;
  /** Ends the process at once. */
  kill(): Promise<void>;
  /** Starts it again after `kill`. */
  restart(): Promise<void>;
  /** Stops answering, with all connections open, until it is thawed. */
  freeze(): void;
  thaw(): void;
}

const readyWithinMs = 10_000;

/** A real Redis: the one that `TEST_REDIS_URL` names, or one of our own from the programs of this machine. */
export async function provideRedis(): Promise<ProvidedRedis> {
  const given = process.env.TEST_REDIS_URL;
  return given ? { url: given, stop: async () => {} } : startRedis();
}

/** The path of `redis-server`. Never skips: what cannot be had is an error. */
export function findRedis(): string {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/bin', '/opt/homebrew/bin', '/usr/local/bin'];
  const find = () => folders.map((bin) => join(bin, 'redis-server')).find((path) => existsSync(path));
  const found = find() ?? installOnDebian(find);
  if (found) return found;
  throw new Error(
    'The tests need Redis 7: set TEST_REDIS_URL, or install the server, ' +
      'with `apt-get install redis-server` or `brew install redis` for example.',
  );
}

function installOnDebian(find: () => string | undefined): string | undefined {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return undefined;
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  execFileSync('apt-get', ['update'], { stdio: 'pipe', env: environment });
  const install = ['install', '-y', '--no-install-recommends', 'redis-server'];
  execFileSync('apt-get', install, { stdio: 'pipe', env: environment });
  return find();
}

/** Further settings are those of redis.conf, by name. */
export async function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<OwnRedis> {
  const program = findRedis();
  const folder = await mkdtemp(join(tmpdir(), 'realtime-redis-'));
  const port = await freePort();
  const all = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no', ...settings };
  const flags = Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)]);
  let server: ChildProcess;
  let ended = Promise.resolve();
  const orphaned = () => server.kill('SIGKILL');

  const restart = async () => {
    server = spawn(program, flags, { cwd: folder, stdio: 'ignore' });
    ended = new Promise((resolve) => server.once('exit', () => resolve()));
    process.once('exit', orphaned);
    await answering(port, server);
  };
  const kill = async () => {
    process.off('exit', orphaned);
    server.kill('SIGKILL');
    await ended;
  };
  await restart();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill,
    restart,
    freeze: () => void server.kill('SIGSTOP'),
    thaw: () => void server.kill('SIGCONT'),
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface OwnRedisCluster extends ProvidedRedis {
  /** The masters, each with a third of the slots and no replica. `url` lists them all. */
  readonly masters: readonly OwnRedis[];
}

/** Three masters on loopback. What one of them carries is away while it is. */
export async function startRedisCluster(): Promise<OwnRedisCluster> {
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-node-timeout': '2000',
    'cluster-require-full-coverage': 'no',
    'cluster-allow-pubsubshard-when-down': 'yes',
  };
  const masters: OwnRedis[] = [];
  for (let index = 0; index < 3; index += 1) {
    // The bus between the nodes has a port of its own: by default 10,000 higher, which may be none.
    masters.push(await startRedis({ ...settings, 'cluster-port': String(await freePort()) }));
  }
  const addresses = masters.map(({ port }) => `127.0.0.1:${port}`);
  const create = ['--cluster', 'create', ...addresses, '--cluster-replicas', '0', '--cluster-yes'];
  execFileSync(join(findRedis(), '..', 'redis-cli'), create, { stdio: 'pipe' });
  for (const { port } of masters) {
    await until(async () => (await talk(port, 'CLUSTER INFO')).includes('cluster_state:ok'));
  }
  return {
    url: masters.map(({ url }) => url).join(','),
    masters,
    stop: async () => void (await Promise.all(masters.map((master) => master.stop()))),
  };
}

/** Gives a slot, which holds no keys, to another master. */
export async function moveSlot({ masters }: OwnRedisCluster, slot: number, to: OwnRedis): Promise<void> {
  const id = (await talk(to.port, 'CLUSTER MYID')).split('\r\n')[1]!;
  for (const { port } of [to, ...masters.filter((master) => master !== to)]) {
    const answer = await talk(port, `CLUSTER SETSLOT ${slot} NODE ${id}`);
    if (answer !== '+OK\r\n') throw new Error(answer);
  }
}

/** A sentinel that watches one server by the name `mymaster`. */
export async function startSentinel(master: OwnRedis): Promise<ProvidedRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'realtime-sentinel-'));
  const port = await freePort();
  const config = join(folder, 'sentinel.conf');
  const lines = [`port ${port}`, 'bind 127.0.0.1', `sentinel monitor mymaster 127.0.0.1 ${master.port} 1`];
  await writeFile(config, `${lines.join('\n')}\n`);
  const server = spawn(findRedis(), [config, '--sentinel'], { cwd: folder, stdio: 'ignore' });
  const orphaned = () => server.kill('SIGKILL');
  process.once('exit', orphaned);
  await answering(port, server);
  return {
    url: `redis://127.0.0.1:${port}?master=mymaster`,
    stop: async () => {
      process.off('exit', orphaned);
      server.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answering(port: number, server: ChildProcess): Promise<void> {
  await until(async () => {
    if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode}`);
    return /^(\+PONG|-NOAUTH)/.test(await talk(port, 'PING'));
  });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + readyWithinMs;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) throw new Error('Redis did not get ready.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The first of the answer to one command. */
export function talk(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    socket.setTimeout(1_000, () => socket.destroy(new Error('Redis did not answer.')));
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(String(data));
    });
  });
}
