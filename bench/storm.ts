import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import postgres from 'postgres';
import { freePort } from '../test/support/free-port.ts';
import { buildMain, NodeProcess, signToken } from '../test/support/node-process.ts';
import { post } from '../test/support/post.ts';
import { findPrograms, startPostgres } from '../test/support/postgres-server.ts';
import { startRedis } from '../test/support/redis-server.ts';
import { unlimited } from '../test/support/unlimited.ts';
import type { Row } from './run.ts';
import type { Order, Report } from './storm-clients.ts';

/** Clients, channels, users: what the reads of the database grow with is to be seen. */
const sizes = [
  { clients: 1_000, channels: 100, users: 100 },
  { clients: 5_000, channels: 100, users: 1 },
  { clients: 5_000, channels: 100, users: 500 },
  { clients: 5_000, channels: 10, users: 500 },
];
const before = 300;
const meanwhile = 500;
const droppingMs = 3_000;
const ticksPerSecond = 100;
/** A connection that was kept may be closed just when it is used again. */
const agent = new Agent({ keepAlive: false });

/** All clients drop, each at its own moment, messages go on, and all come back at once and resume. */
export async function storm(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const size of sizes) rows.push(await measure(size));
  return rows;
}

async function measure({ clients, channels, users }: (typeof sizes)[number]): Promise<Row> {
  const database = await startPostgres(findPrograms()!);
  const redis = await startRedis();
  const node = new NodeProcess({
    name: 'node',
    main: await buildMain(),
    host: '127.0.0.1',
    port: await freePort(),
    environment: {
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      ...unlimited,
      DRAIN_SECONDS: '0',
    },
  });
  await node.start();
  const load = fork(new URL('storm-clients.ts', import.meta.url).pathname, { execArgv: ['--import', 'tsx'] });
  const sql = postgres(database.url, { max: 1 });
  try {
    const owner = await signToken('owner');
    const ask = async (query: string) => {
      const { errors } = await post(node.url, { token: owner, agent }, { query });
      if (errors) throw new Error(JSON.stringify(errors));
    };
    const send = (channel: number, body: string) =>
      ask(`mutation { sendMessage(input: { channel: "c${channel}", body: "${body}" }) { id } }`);
    for (let channel = 0; channel < channels; channel += 1) {
      await ask(`mutation { createChannel(input: { name: "c${channel}" }) { id } }`);
    }
    const tokens = await Promise.all(Array.from({ length: users }, (_, index) => signToken(`user ${index}`)));
    await order(load, { do: 'connect', url: node.url, tokens, clients, channels });
    const dropping = order(load, { do: 'dropAll', overMs: droppingMs });
    for (let index = 0; index < before; index += 1) await send(index % channels, `while dropping ${index}`);
    await dropping;
    for (let index = 0; index < meanwhile; index += 1) await send(index % channels, `away ${index}`);
    for (let channel = 0; channel < channels; channel += 1) await send(channel, 'end');

    const [statements, cpu] = [await statementsOf(sql), cpuOf(node.pid!)];
    const probe = startProbe(node.url);
    const startedAt = performance.now();
    const { tookMs, payloads } = await order(load, { do: 'resume' });
    const seconds = (performance.now() - startedAt) / 1_000;
    const slowestProbe = probe.stop();
    tookMs.sort((one, other) => one - other);
    const at = (part: number) => Math.round(tookMs[Math.floor((tookMs.length - 1) * part)]!);
    return {
      ...{ clients, channels, users, payloads },
      'p50 ms': at(0.5),
      'p95 ms': at(0.95),
      'max ms': at(1),
      'all, s': Number(seconds.toFixed(2)),
      statements: (await statementsOf(sql)) - statements,
      'server CPU s': Number(((cpuOf(node.pid!) - cpu) / ticksPerSecond).toFixed(2)),
      'slowest /live ms': Math.round(slowestProbe),
      'server MiB': memoryOf(node.pid!),
    };
  } finally {
    load.disconnect();
    await sql.end();
    await node.kill();
    await redis.stop();
    await database.stop();
  }
}

async function order(load: ChildProcess, what: Order): Promise<Report> {
  load.send(what);
  const [report] = await Promise.race([once(load, 'message'), once(load, 'exit')]);
  if (typeof report === 'number') throw new Error('The clients gave up.');
  return report as Report;
}

/** Each statement outside of a transaction is one of its own; the server's sessions report them when they are idle. */
async function statementsOf(sql: postgres.Sql): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const [row] =
    await sql`select xact_commit::int as count from pg_stat_database where datname = current_database()`;
  return row!.count;
}

function cpuOf(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(11, 13);
  return Number(user) + Number(system);
}

function memoryOf(pid: number): number {
  return Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1_024);
}

/** Asks every tenth of a second whether the server is there; the answer is the longest wait. */
function startProbe(url: string): { stop(): number } {
  let slowest = 0;
  const timer = setInterval(async () => {
    const startedAt = performance.now();
    await fetch(`${url}/live`).catch(() => {});
    slowest = Math.max(slowest, performance.now() - startedAt);
  }, 100);
  return {
    stop: () => {
      clearInterval(timer);
      return slowest;
    },
  };
}
