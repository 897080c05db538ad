import { execFile } from 'node:child_process';
import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { freePort } from '../test/support/free-port.ts';
import { buildMain, NodeProcess, signToken } from '../test/support/node-process.ts';
import { ask } from '../test/support/post.ts';
import { findPrograms, startPostgres } from '../test/support/postgres-server.ts';
import { bodyOf, cpuOf, generous, Load, median, pause, percentile } from './rivals.ts';
import type { Row } from './run.ts';

const programs = findPrograms()!;
/** Beside the server's programs; where those are links, it may not have one. */
const pgbench = join(dirname(realpathSync(join(programs, 'initdb'))), 'pgbench');
const rounds = 3;
const watched = 'orders';
const unwatched = 'orders_unwatched';
/** As long as a note that somebody left: the clients find in it when it left. */
const noteLength = 40;
const note = 'a note of a usual length, not a long one'.padEnd(noteLength);

interface Site {
  readonly node: NodeProcess;
  readonly port: number;
  readonly databaseUrl: string;
  readonly sql: postgres.Sql;
}

const parts: Record<string, (site: Site) => Promise<Row[]>> = { writing, lateness, filters, atOnce };

/**
 * What a watched table costs those who write to it, when its events arrive, and whether an event costs anything for
 * those whom it does not concern. `--only lateness` narrows it down.
 */
export async function models(): Promise<Row[]> {
  const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined;
  const rows: Row[] = [];
  for (const [name, measure] of Object.entries(parts)) {
    if (only !== undefined && only !== name) continue;
    const found = await onSite(measure);
    console.table(found);
    rows.push(...found);
  }
  return rows;
}

/** One node on a database of its own. Without Redis: what is measured is the table and the relay. */
async function onSite(measure: (site: Site) => Promise<Row[]>): Promise<Row[]> {
  const database = await startPostgres(programs);
  const port = await freePort();
  const environment = { DATABASE_URL: database.url, ...generous };
  const node = new NodeProcess({
    name: 'node',
    main: await buildMain(),
    host: '127.0.0.1',
    port,
    environment,
  });
  const sql = postgres(database.url, { max: 1, onnotice: () => {} });
  try {
    await node.start();
    for (const table of [watched, unwatched]) {
      await sql.unsafe(
        `create table ${table} (id bigserial primary key, user_id text, status text, amount numeric(10,2), body text,
                                created_at timestamptz default now())`,
      );
    }
    await ask(
      node.url,
      await signToken('owner', ['admin']),
      `mutation { watchModel(input: { table: "${watched}", audience: EVERYONE }) { name } }`,
    );
    const [setting] =
      await sql`select current_setting('server_version_num')::int / 10000 as version, current_setting('fsync') as fsync`;
    const on = `PostgreSQL ${setting!.version}, fsync ${setting!.fsync}`;
    return (await measure({ node, port, databaseUrl: database.url, sql })).map((row) => ({ ...row, on }));
  } finally {
    if (node.log) console.error(node.log);
    await sql.end();
    await node.kill();
    await database.stop();
  }
}

interface Cell {
  readonly what: string;
  readonly clients: number;
  /** Of each statement. */
  readonly rows: number;
  /** So many are there before. */
  readonly filled: number;
  script(table: string): string;
}

const secondsEach = 3;
const many = 1_000;
const filled = 100_000;
const columns = '(user_id, status, amount, body)';
const insertMany = (table: string, count: number) =>
  `insert into ${table} ${columns} select 'u' || n, 'open', n / 100.0, '${note}' from generate_series(1, ${count}) n`;
const cells: readonly Cell[] = [
  ...[1, 8, 32].map((clients) => ({
    ...{ what: 'inserts of 1', clients, rows: 1, filled: 0 },
    script: (table: string) => `\\set n random(1, ${filled})
insert into ${table} ${columns} values ('u' || :n, 'open', :n / 100.0, '${note}');`,
  })),
  ...[1, 8, 32].map((clients) => ({
    ...{ what: 'inserts of 1,000', clients, rows: many, filled: 0 },
    script: (table: string) => `${insertMany(table, many)};`,
  })),
  {
    ...{ what: 'updates of 1', clients: 8, rows: 1, filled },
    script: (table) => `\\set id random(1, ${filled})
update ${table} set status = 'paid', amount = amount + 1 where id = :id;`,
  },
];

/** The same by pgbench to a table that is watched and to one that is not, by turns, while the server relays. */
async function writing({ databaseUrl, sql }: Site): Promise<Row[]> {
  const rows: Row[] = [];
  for (const cell of cells) {
    const results: Record<string, Written[]> = { [unwatched]: [], [watched]: [] };
    for (let round = 0; round < rounds; round += 1) {
      for (const table of [unwatched, watched])
        results[table]!.push(await write(databaseUrl, sql, cell, table));
    }
    const rate = (table: string) => median(results[table]!.map(({ perSecond }) => perSecond));
    rows.push({
      what: cell.what,
      clients: cell.clients,
      'unwatched rows/s': Math.round(rate(unwatched)),
      'watched rows/s': Math.round(rate(watched)),
      'watched ÷ unwatched': Number((rate(watched) / rate(unwatched)).toFixed(2)),
      'all relayed after s': Number(median(results[watched]!.map(({ behind }) => behind)).toFixed(1)),
    });
  }
  return rows;
}

interface Written {
  readonly perSecond: number;
  /** How long it took from the last commit until all was relayed, in seconds. */
  readonly behind: number;
}

async function write(url: string, sql: postgres.Sql, cell: Cell, table: string): Promise<Written> {
  await sql.unsafe(`truncate ${table} restart identity`);
  if (cell.filled > 0) await sql.unsafe(insertMany(table, cell.filled));
  // What is still relayed would be at the expense of what is measured next.
  await relayed(sql);
  const [before] = await sql`select head from realtime_relay where part = 0`;
  const script = join(mkdtempSync(join(tmpdir(), 'bench-')), 'write.sql');
  writeFileSync(script, cell.script(table));
  const parameters = ['-n', '-M', 'prepared', '-c', cell.clients, '-T', secondsEach, '-f', script, url];
  const { stdout } = await promisify(execFile)(pgbench, parameters.map(String));
  const endedAt = performance.now();
  await relayed(sql);
  const behind = (performance.now() - endedAt) / 1_000;
  const [, count] = /^number of transactions actually processed: (\d+)/m.exec(stdout)!;
  const [told] = await sql`select count(*)::int from realtime_events where position > ${before!.head}`;
  const wanted = table === watched ? Number(count) * cell.rows : 0;
  if (told!.count !== wanted) throw new Error(`${told!.count} events instead of ${wanted}`);
  return { perSecond: Number(/^tps = ([\d.]+)/m.exec(stdout)![1]) * cell.rows, behind };
}

async function relayed(sql: postgres.Sql): Promise<void> {
  while ((await sql`select from realtime_outbox limit 1`).length > 0) await pause(50);
}

const rhythms = [
  { perSecond: 1, count: 20 },
  { perSecond: 1_000, count: 5_000 },
];
const writers = 8;

/** From the moment that another program sends a row, which it commits alone, until a WebSocket client has its event. */
async function lateness({ port, databaseUrl }: Site): Promise<Row[]> {
  const sql = postgres(databaseUrl, { max: writers });
  await Promise.all(Array.from({ length: writers }, () => sql`select pg_sleep(0.1)`));
  const load = await listen(port, ['subscription { modelUpdated(model: "Orders") { action data } }']);
  const rows: Row[] = [];
  for (const { perSecond, count } of rhythms) {
    const heard = expect(load, count);
    const startedAt = performance.now();
    const written: Promise<unknown>[] = [];
    for (let index = 0; index < count; index += 1) {
      const earlyMs = startedAt + (index * 1_000) / perSecond - performance.now();
      if (earlyMs > 1) await pause(earlyMs);
      // Of several connections nobody knows which commits first: the clients are told not to look at the order.
      const body = bodyOf(0, noteLength);
      const insert = sql`insert into orders (user_id, status, amount, body) values ('u', 'open', 1.5, ${body})`;
      written.push(insert.execute());
    }
    await Promise.all(written);
    const committedAfter = performance.now() - startedAt;
    const latencies = await heard;
    const at = (part: number) => Number(percentile(latencies, part).toFixed(1));
    rows.push({
      what: 'commit to client',
      'asked for, rows/s': perSecond,
      'committed, rows/s': Math.round(count / (committedAfter / 1_000)),
      'p50 ms': at(0.5),
      'p95 ms': at(0.95),
      'max ms': at(1),
    });
  }
  load.stop();
  await sql.end();
  return rows;
}

const subscribers = 5_000;
const updates = 500;
/** The server pings each client this often: as many of the pings are in each measurement. */
const pingMs = 12_000;
const deliveries = 'realtime_deliveries_total';
const queryOf = (index: number) =>
  `subscription { modelUpdated(model: "Orders", where: { user_id: "u${index + 1}" }) { action data } }`;
const queries = Array.from({ length: subscribers }, (_, index) => queryOf(index));
/** The updates concern them in turn; all the others are bystanders. */
const concerned = [1, updates];

/** Updates of one row each, where each subscriber has asked for another row. */
async function filters(site: Site): Promise<Row[]> {
  await site.sql.unsafe(`${insertMany(watched, subscribers)}; create index on ${watched} (user_id)`);
  const results = concerned.flatMap((listeners) =>
    [0, subscribers - listeners].map((bystanders) => ({ listeners, bystanders, costs: [] as Cost[] })),
  );
  for (let round = 0; round < rounds; round += 1) {
    for (const result of results) result.costs.push(await update(site, result));
  }
  const cost = (costs: readonly Cost[]) => median(costs.map(({ perEvent }) => perEvent));
  return results.map(({ listeners, bystanders, costs }) => {
    const alone = results.find((other) => other.listeners === listeners && other.bystanders === 0)!;
    return {
      what: 'filters',
      subscribers: listeners + bystanders,
      'of them concerned': listeners,
      'server CPU µs/event': Math.round(cost(costs)),
      '× without bystanders': Number((cost(costs) / cost(alone.costs)).toFixed(2)),
      'idle, CPU ms/s': Number(median(costs.map(({ idle }) => idle)).toFixed(1)),
    };
  });
}

interface Cost {
  /** Microseconds of the server's, without what it needs when nothing happens. */
  readonly perEvent: number;
  /** Milliseconds in a second. */
  readonly idle: number;
}

async function update(
  { node, port, sql }: Site,
  { listeners, bystanders }: { listeners: number; bystanders: number },
): Promise<Cost> {
  const listening = await listen(port, queries.slice(0, listeners));
  const standing = bystanders ? await listen(port, queries.slice(listeners)) : null;
  await pause(2_000);
  const before = [cpuOf(node.pid!), performance.now()] as const;
  await pause(pingMs);
  const idle = (cpuOf(node.pid!) - before[0]) / (performance.now() - before[1]);

  const delivered = await node.metric(deliveries);
  const heard = expect(listening, updates / listeners);
  await pause(100);
  const [cpu, startedAt] = [cpuOf(node.pid!), performance.now()];
  for (let index = 0; index < updates; index += 1) {
    await pause(Math.max(0, startedAt + (index * pingMs) / updates - performance.now()));
    const [userId, body] = [`u${(index % listeners) + 1}`, bodyOf(index + 1, noteLength)];
    await sql`update orders set amount = amount + 1, body = ${body} where user_id = ${userId}`;
  }
  await heard;
  await pause(Math.max(0, startedAt + pingMs - performance.now()));
  const used = cpuOf(node.pid!) - cpu - idle * (performance.now() - startedAt);
  const count = (await node.metric(deliveries)) - delivered;
  if (count !== updates) throw new Error(`${count} deliveries instead of ${updates}`);
  listening.stop();
  standing?.stop();
  await pause(1_000);
  return { perEvent: (used / updates) * 1e6, idle: idle * 1e6 };
}

const mostSeconds = 30;

/** One statement changes the rows of all of them: who has not heard of it after a while is not waited for. */
async function atOnce({ node, port, sql }: Site): Promise<Row[]> {
  await sql.unsafe(insertMany(watched, subscribers));
  await relayed(sql);
  const load = await listen(port, queries);
  const rows: Row[] = [];
  for (const what of ['all rows at once', 'and again']) {
    await pause(2_000);
    const [before, cpu, startedAt] = [await node.metric(deliveries), cpuOf(node.pid!), performance.now()];
    const seconds = () => (performance.now() - startedAt) / 1_000;
    await sql.unsafe(`update ${watched} set amount = amount + 1`);
    let heard = 0;
    while (heard < subscribers && seconds() < mostSeconds) {
      await pause(100);
      heard = (await node.metric(deliveries)) - before;
    }
    rows.push({
      what,
      subscribers,
      heard,
      's until then': Number(seconds().toFixed(1)),
      'server CPU s': Number((cpuOf(node.pid!) - cpu).toFixed(1)),
    });
    // What comes later would be taken for the next.
    if (heard < subscribers) break;
  }
  load.stop();
  return rows;
}

/** One client for each query. */
async function listen(port: number, queries: string[]): Promise<Load> {
  const load = new Load();
  const tokens = await Promise.all(Array.from({ length: 50 }, (_, index) => signToken(`user ${index}`)));
  await load.order({ do: 'connect', wire: 'websocket', port, tokens, queries, clients: queries.length });
  await pause(1_000);
  return load;
}

/** The latencies of what each client is to hear. What is lost would be waited for forever. */
async function expect(load: Load, each: number): Promise<readonly number[]> {
  const missing = pause(60_000).then(() => {
    throw new Error('Events are missing.');
  });
  const { latencies } = await Promise.race([load.order({ do: 'expect', each }), missing]);
  return latencies;
}
