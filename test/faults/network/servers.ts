import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { findPrograms } from '../../support/postgres-server.ts';
import { findRedis } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';
import { addressOf, on } from './namespaces.ts';

const readyWithinMs = 20_000;

export interface Started {
  readonly url: string;
  stop(): Promise<void>;
}

/** A PostgreSQL on the host of that name. */
export async function startPostgresOnHost(): Promise<Started> {
  const programs = findPrograms();
  if (!programs) throw new Error('This needs the programs of PostgreSQL 14 or newer.');
  const folder = mkdtempSync(join(tmpdir(), 'realtime-postgres-'));
  removeAtExit(folder);
  const data = join(folder, 'data');
  // PostgreSQL refuses to run as root.
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'])));
  chmodSync(folder, 0o755);
  chownSync(folder, uid!, gid!);
  const init = ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-sync'];
  execFileSync(join(programs, 'initdb'), init, { uid, gid, cwd: folder, stdio: 'pipe' });
  appendFileSync(join(data, 'pg_hba.conf'), 'host all all 10.77.0.0/24 trust\n');
  const address = addressOf('postgres');
  const settings = {
    listen_addresses: address,
    unix_socket_directories: folder,
    max_connections: 200,
    fsync: 'off',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const as = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  const [ipProgram, ...command] = [
    ...on('postgres'),
    ...as,
    join(programs, 'postgres'),
    '-D',
    data,
    ...flags,
  ];
  const log = openSync(join(folder, 'log'), 'a');
  const server = spawn(ipProgram!, command, { cwd: folder, stdio: ['ignore', log, log] });
  const url = `postgres://postgres@${address}:5432/postgres`;
  await until('PostgreSQL answers', readyWithinMs, async () => {
    if (server.exitCode !== null) throw new Error(`PostgreSQL ended: see ${folder}/log`);
    return answers(url);
  });
  return { url, stop: () => end(server, 'SIGQUIT') };
}

/** A Redis on the host of that name. */
export async function startRedisOnHost(): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), 'realtime-redis-'));
  removeAtExit(folder);
  const address = addressOf('redis');
  const settings = { bind: address, 'protected-mode': 'no', dir: folder, save: '', appendonly: 'no' };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const [ipProgram, ...command] = [...on('redis'), findRedis(), ...flags];
  const server = spawn(ipProgram!, command, { cwd: folder, stdio: 'ignore' });
  const ping = [...on('redis').slice(1), join(findRedis(), '..', 'redis-cli'), '-h', address, 'ping'];
  await until('Redis answers', readyWithinMs, async () => {
    if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode}`);
    try {
      return execFileSync('ip', ping, { stdio: 'pipe', timeout: 1_000 }).toString().startsWith('PONG');
    } catch {
      return false;
    }
  });
  return { url: `redis://${address}:6379`, stop: () => end(server, 'SIGKILL') };
}

/** Also after an interruption. */
function removeAtExit(folder: string): void {
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
}

async function answers(url: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, connect_timeout: 1, onnotice: () => {} });
  try {
    await sql`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 0 });
  }
}

async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill(signal);
  if (server.exitCode === null && server.signalCode === null) await ended;
}
