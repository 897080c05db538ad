import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signToken } from '../test/support/node-process.ts';
import { post } from '../test/support/post.ts';
import { cpuOf, type Rival, rivals } from './rivals.ts';
import type { Row } from './run.ts';

const abreast = 16;
const seconds = 8;
const atOnce = 1_000;

const one = `mutation Send($userId: ID!) {
  sendNotification(input: { userId: $userId, title: "a title", message: "a message of some length" }) { id }
}`;
const many =
  'mutation Send($inputs: [SendNotificationInput!]!) { sendNotifications(inputs: $inputs) { id } }';

/** Notifications per second beside a stock server that stores none, and beside the same inserts by pgbench. */
export async function write(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of ['ours', 'peer'] as const) {
    const rival = await rivals[name]([]);
    const token = await signToken('owner', ['service']);
    await ask(rival, token, '{ __typename }', {});
    rows.push(
      await measure(name, 'sendNotification', rival, 1, () => ask(rival, token, one, { userId: 'owner' })),
    );
    if (name === 'ours') {
      const input = { userId: 'owner', title: 'a title', message: 'a message of some length' };
      const inputs = Array(atOnce).fill(input);
      rows.push(
        await measure(name, 'sendNotifications', rival, atOnce, () => ask(rival, token, many, { inputs })),
      );
      rows.push(...[1, atOnce].map((count) => pgbench(rival.databaseUrl!, count)));
    }
    await rival.stop();
  }
  return rows;
}

const agent = new Agent({ keepAlive: true });

async function ask({ port }: Rival, token: string, query: string, variables: Record<string, unknown>) {
  const request = { query, variables };
  const { errors } = await post(`http://127.0.0.1:${port}`, { token, agent, withinMs: 60_000 }, request);
  if (errors) throw new Error(JSON.stringify(errors));
}

async function measure(
  server: string,
  what: string,
  { pid }: Rival,
  rowsEach: number,
  work: () => Promise<void>,
) {
  const run = async (forSeconds: number) => {
    let count = 0;
    const until = performance.now() + forSeconds * 1_000;
    const client = async () => {
      for (; performance.now() < until; count += 1) await work();
    };
    await Promise.all(Array.from({ length: rowsEach > 1 ? 2 : abreast }, client));
    return count;
  };
  await run(2);
  const [cpu, startedAt] = [cpuOf(pid), performance.now()];
  const rows = (await run(seconds)) * rowsEach;
  const perSecond = Math.round(rows / ((performance.now() - startedAt) / 1_000));
  return {
    server,
    what,
    'rows/s': perSecond,
    'server CPU µs/row': Math.round(((cpuOf(pid) - cpu) / rows) * 1e6),
  };
}

/** The rows that one mutation writes, by the same statements as well as pgbench can say them. */
function pgbench(url: string, count: number): Row {
  const script = join(mkdtempSync(join(tmpdir(), 'bench-')), 'insert.sql');
  writeFileSync(
    script,
    `begin;
insert into notifications (id, user_id, title, message, type, category, priority, actions)
select gen_random_uuid(), 'owner', 'a title', 'a message of some length', 'info', 'general', 'NORMAL', '[]'
  from generate_series(1, ${count});
insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, payload)
select gen_random_uuid(), array['user' || chr(58) || 'owner'], '{user}', '{owner}', 'bench', 'bench',
       json_build_object('title', 'a title', 'message', 'a message of some length')
  from generate_series(1, ${count});
commit;
`,
  );
  const clients = count > 1 ? 2 : abreast;
  const parameters = [
    '-n',
    '-M',
    'prepared',
    '-c',
    String(clients),
    '-T',
    String(seconds),
    '-f',
    script,
    url,
  ];
  const output = execFileSync('pgbench', parameters, {
    encoding: 'utf8',
    stdio: 'pipe',
  });
  const perSecond = Number(/^tps = ([\d.]+)/m.exec(output)![1]) * count;
  return {
    server: 'pgbench',
    what: `inserts of ${count}`,
    'rows/s': Math.round(perSecond),
    'server CPU µs/row': 0,
  };
}
