import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { chmod, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../support/until.ts';

const program = '/usr/sbin/nginx';

export interface Nginx {
  readonly url: string;
  /** How often it found a node away and asked another, in its own words. */
  complaints(): string;
  stop(): Promise<void>;
}

/** A real nginx before three nodes, with the configuration that is recommended to users. */
export async function startNginx(port: number, nodePorts: readonly number[]): Promise<Nginx> {
  if (!existsSync(program)) throw new Error('This needs nginx: `apt-get install nginx-light` for example.');
  const folder = await mkdtemp(join(tmpdir(), 'realtime-nginx-'));
  // The workers are another user's.
  await chmod(folder, 0o755);
  await writeFile(join(folder, 'realtime.conf'), await siteConfiguration(port, nodePorts));
  await writeFile(join(folder, 'nginx.conf'), mainConfiguration(folder));
  const server = spawn(program, ['-c', join(folder, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  server.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const orphaned = () => server.kill('SIGTERM');
  process.once('exit', orphaned);
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  await until('nginx answers', 5_000, async () => {
    if (server.exitCode !== null) throw new Error(`nginx ended with ${server.exitCode}: ${said}`);
    return fetch(`${url}/live`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  const logFile = join(folder, 'error.log');
  return {
    url,
    complaints: () => summaryOf(readFileSync(logFile, 'utf8')),
    stop: async () => {
      process.off('exit', orphaned);
      server.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function summaryOf(log: string): string {
  const counts = new Map<string, number>();
  for (const line of log.split('\n').filter(Boolean)) {
    const what = /(?:\*\d+ )([^,(:]+)/.exec(line)?.[1]?.trim() ?? line;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${count} × ${what}`).join(', ') || 'none';
}

async function siteConfiguration(port: number, nodePorts: readonly number[]): Promise<string> {
  const recommended = await readFile(new URL('../../../deploy/nginx.conf', import.meta.url), 'utf8');
  const [line] = /^ *server node-1:4000.*;\n/m.exec(recommended) ?? [];
  if (!line) throw new Error('deploy/nginx.conf names no node.');
  const nodes = nodePorts.map((nodePort) => line.replace('node-1:4000', `127.0.0.1:${nodePort}`));
  return recommended
    .replace(/(^ *server node-\d+:4000.*;\n)+/m, nodes.join(''))
    .replace('listen 80;', `listen 127.0.0.1:${port};`)
    .replace(/^ *access_log .*;\n/m, '');
}

const mainConfiguration = (folder: string) => `
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log ${folder}/error.log warn;
events {
  worker_connections 4096;
}
http {
  access_log off;
  client_body_temp_path ${folder}/bodies;
  proxy_temp_path ${folder}/proxied;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  include ${folder}/realtime.conf;
}
`;
