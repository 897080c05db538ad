import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { buildSchema } from 'graphql';
import { buildMain, NodeProcess, signToken } from '../../support/node-process.ts';
import { ask } from '../../support/post.ts';
import { findPrograms, startPostgres } from '../../support/postgres-server.ts';
import { SocketClient } from '../../support/websocket.ts';
import { settledHeapOf } from '../fuzz/heap.ts';
import { operations } from '../fuzz/operations.ts';
import { asked, chatter, type Deed, type Outcome, rawHttp, rawSocket } from '../fuzz/wires.ts';
import { lastingPorts } from '../rolling/ports.ts';

const atOnce = 16;
const host = '127.0.0.1';
const mostGrowthMiB = 40;

/** Close codes that docs/errors.md has, and those of the WebSocket protocol for bytes that are none of its own. */
const documented = new Set([
  1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1012, 1013, 4400, 4401, 4403, 4406, 4408, 4409, 4429,
]);

const environment = {
  CONNECTION_RATE_PER_IP: '1000000/1m',
  MAX_CONNECTIONS_PER_USER: '100000',
  OPERATION_RATE_PER_USER: '10000000/1m',
  MESSAGE_RATE_PER_USER: '10000000/10s',
};

/** Anything but what clients should say, for minutes: no crash, no undocumented failure, no growth, and everybody else served. */
export async function run(options: Record<string, string | undefined>): Promise<void> {
  const seed = Number(options.seed ?? Math.floor(Math.random() * 100_000));
  const minutes = Number(options.minutes ?? 10);
  console.log(`seed ${seed}: npm run faults -- fuzz --seed ${seed} --minutes ${minutes}`);
  const postgres = await startPostgres(findPrograms()!);
  const [port, inspectorPort] = (await lastingPorts(2)) as [number, number];
  const inspect = { NODE_OPTIONS: `--inspect=${host}:${inspectorPort}` };
  const main = await buildMain();
  const own = { ...environment, ...inspect, DATABASE_URL: postgres.url };
  const node = new NodeProcess({ name: 'the node', main, host, port, environment: own });
  try {
    await node.start();
    await fuzz(node, { port, inspectorPort, seed, minutes });
  } finally {
    await node.kill();
    await postgres.stop();
  }
}

interface Fuzzing {
  readonly port: number;
  readonly inspectorPort: number;
  readonly seed: number;
  readonly minutes: number;
}

async function fuzz(node: NodeProcess, { port, inspectorPort, seed, minutes }: Fuzzing): Promise<void> {
  let hasEnded = false;
  void node.ended.then(() => {
    hasEnded = true;
  });
  const target = { host, port, token: await signToken('ada', ['admin']) };
  await ask(node.url, target.token, 'mutation { createChannel(input: { name: "canary" }) { id } }');
  const schema = buildSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
  const operation = operations(schema);
  const deeds: [string, fc.Arbitrary<Deed>][] = [
    ['HTTP', rawHttp],
    ['operations', asked(operation)],
    ['WebSocket messages', chatter(operation)],
    ['WebSocket bytes', rawSocket],
  ];
  const findings = new Set<string>();
  const counts = new Map<string, number>();
  const answers = new Map<string, number>();
  const deadline = performance.now() + minutes * 60_000;
  let [round, before] = [0, 0];
  for (; performance.now() < deadline && !hasEnded; round += 1) {
    for (const [name, arbitrary] of deeds) {
      const sample = fc.sample(arbitrary, { seed: seed + round, numRuns: atOnce });
      const outcomes = await Promise.all(sample.map((deed) => deed(target)));
      for (const outcome of outcomes)
        for (const found of judge(outcome)) findings.add(`${name}, round ${round}: ${found}`);
      for (const answer of outcomes.flatMap(answersIn)) answers.set(answer, (answers.get(answer) ?? 0) + 1);
      counts.set(name, (counts.get(name) ?? 0) + atOnce);
    }
    if (round % 20 === 0) await canary(node, target.token);
    // What is made once has been made by then.
    if (round === 40) before = await settled(node, inspectorPort);
  }
  const after = await settled(node, inspectorPort);
  const [unexpected] = node.log.match(/.*unexpected error.*/) ?? [];
  const list = (tally: Map<string, number>) =>
    [...tally].map(([name, count]) => `${name}: ${count}`).join(', ');
  console.log(list(counts));
  console.log(`answered: ${list(new Map([...answers].sort()))}`);
  console.log(`heap after round 40: ${before.toFixed(1)} MiB; after round ${round}: ${after.toFixed(1)} MiB`);
  for (const finding of findings) console.log(finding);
  if (unexpected) console.log(unexpected);
  if (hasEnded) throw new Error(`The node has ended:\n${node.log.slice(-5_000)}`);
  if (findings.size > 0 || unexpected) throw new Error('Something undocumented was answered.');
  if (before > 0 && after - before > mostGrowthMiB) throw new Error('The heap has grown.');
}

function* judge({ statuses, closeCode, said }: Outcome): Generator<string> {
  for (const status of statuses) {
    if (status >= 500 && status !== 503) yield `HTTP ${status}: ${said.slice(0, 1_000)}`;
  }
  if (closeCode !== undefined && !documented.has(closeCode))
    yield `closed with ${closeCode}: ${said.slice(-1_000)}`;
  const [internal] = /.{0,200}INTERNAL_SERVER_ERROR.{0,300}/.exec(said) ?? [];
  if (internal) yield internal;
}

const answersIn = ({ statuses, closeCode, said }: Outcome): string[] => [
  ...statuses.map((status) => `HTTP ${status}`),
  ...(closeCode === undefined ? [] : [`close ${closeCode}`]),
  ...[...said.matchAll(/"code":"([A-Z_]+)"/g)].map(([, code]) => code!),
  ...(said.includes('"data":{') ? ['data'] : []),
];

/** Somebody well-behaved hears what is said meanwhile. */
async function canary(node: NodeProcess, token: string): Promise<void> {
  const client = new SocketClient(`${node.url}/graphql`, { token });
  await client.acknowledged;
  const stream = client.run({ query: 'subscription { channelMessage(channel: "canary") { body } }' });
  const body = String(Math.random());
  await client
    .run({
      query:
        'mutation Sing($body: String!) { sendMessage(input: { channel: "canary", body: $body }) { id } }',
      variables: { body },
    })
    .next();
  const heard = await Promise.race([
    stream.next(),
    new Promise<null>((resolve) => setTimeout(resolve, 10_000, null)),
  ]);
  if (heard?.data?.channelMessage.body !== body) throw new Error('The canary is silent.');
  await client.close();
}

const settled = (node: NodeProcess, inspectorPort: number) =>
  settledHeapOf(inspectorPort, async () => (await node.metric('realtime_connections')) === 0);
