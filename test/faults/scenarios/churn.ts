import { createConnection } from 'node:net';
import { buildMain, NodeProcess, signToken } from '../../support/node-process.ts';
import { ask, post } from '../../support/post.ts';
import { findPrograms, startPostgres } from '../../support/postgres-server.ts';
import { startRedis } from '../../support/redis-server.ts';
import { EventStreamClient } from '../../support/sse.ts';
import { SocketClient } from '../../support/websocket.ts';
import { settledHeapOf } from '../fuzz/heap.ts';
import { Dice, wait } from '../ordeal/dice.ts';
import { lastingPorts } from '../rolling/ports.ts';

const host = '127.0.0.1';
const atOnce = 40;
const people = 200;
const channels = 20;
const mostGrowthMiB = 15;

/** The limits stay where they hit: floods are refused. Only that all come from one address is allowed for. */
const environment = {
  CONNECTION_RATE_PER_IP: '1000000/1m',
  MESSAGE_RATE_PER_USER: '100000/10s',
  SEND_BUFFER_BYTES: '65536',
};

const follow =
  'subscription Follow($channel: String!) { channelMessage(channel: $channel) { body sender { name } } }';
const send =
  'mutation Send($channel: String!, $body: String!) { sendMessage(input: { channel: $channel, body: $body }) { id } }';

interface Churn {
  readonly url: string;
  readonly port: number;
  readonly dice: Dice;
}

/** What clients do in an hour, in minutes: they come, subscribe, flood, drop. Then all are gone, and so is what they took. */
export async function run(options: Record<string, string | undefined>): Promise<void> {
  const seed = Number(options.seed ?? Math.floor(Math.random() * 100_000));
  const minutes = Number(options.minutes ?? 5);
  console.log(`seed ${seed}: npm run faults -- churn --seed ${seed} --minutes ${minutes}`);
  const postgres = await startPostgres(findPrograms()!);
  const redis = await startRedis();
  const [port, inspectorPort] = (await lastingPorts(2)) as [number, number];
  const main = await buildMain();
  const inspect = { NODE_OPTIONS: `--inspect=${host}:${inspectorPort}` };
  const own = { ...environment, ...inspect, DATABASE_URL: postgres.url, REDIS_URL: redis.url };
  const node = new NodeProcess({ name: 'the node', main, host, port, environment: own });
  try {
    await node.start();
    const token = await signToken('ada');
    for (let index = 0; index < channels; index += 1) {
      await ask(node.url, token, `mutation { createChannel(input: { name: "c${index}" }) { id } }`);
    }
    const churn = { url: node.url, port, dice: new Dice(seed) };
    const settled = () =>
      settledHeapOf(inspectorPort, async () => (await node.metric('realtime_connections')) === 0);
    // What is made once, and what is kept for everybody who was ever seen, has been made by then.
    await churnFor(churn, 30_000);
    const before = await settled();
    const lives = await churnFor(churn, minutes * 60_000);
    const after = await settled();
    const left = await Promise.all(
      ['realtime_connections', 'realtime_subscriptions', 'realtime_groups'].map(
        async (name) => `${name} ${await node.metric(name)}`,
      ),
    );
    console.log(
      `${lives} lives of clients; heap ${before.toFixed(1)} MiB before, ${after.toFixed(1)} MiB after`,
    );
    console.log(`left: ${left.join(', ')}`);
    if (left.some((line) => !line.endsWith(' 0'))) throw new Error('Something was left open.');
    if (after - before > mostGrowthMiB) throw new Error('The heap has grown.');
  } finally {
    await node.kill();
    await redis.stop();
    await postgres.stop();
  }
}

async function churnFor(churn: Churn, milliseconds: number): Promise<number> {
  const deadline = performance.now() + milliseconds;
  let lives = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (performance.now() < deadline) {
        await live(churn);
        lives += 1;
      }
    }),
  );
  return lives;
}

/** One client's life. Nothing in it waits for an answer that may be refused for good. */
async function live({ url, port, dice }: Churn): Promise<void> {
  const user = `user-${dice.whole(people)}`;
  const channel = `c${dice.whole(channels)}`;
  const token = await signToken(user);
  switch (dice.whole(8)) {
    case 0:
      return stream(url, token, channel);
    case 1:
      return neverIntroduced(port);
    case 2:
      return void (await post(
        url,
        { token },
        { query: send, variables: { channel: 'c0', body: user } },
      ).catch(() => {}));
    default:
      return socket(url, token, channel, dice);
  }
}

async function socket(url: string, token: string, channel: string, dice: Dice): Promise<void> {
  const client = new SocketClient(`${url}/graphql`, { token });
  const isIn = await Promise.race([client.acknowledged, client.closed.then(() => null)]);
  if (!isIn) return;
  const streams = Array.from({ length: 1 + dice.whole(5) }, () =>
    client.run({ query: follow, variables: { channel } }),
  );
  if (dice.whole(10) === 0) for (let count = 0; count < 400; count += 1) client.send({ type: 'ping' });
  if (dice.whole(10) === 0)
    for (let count = 0; count < 150; count += 1) client.run({ query: follow, variables: { channel } });
  if (dice.whole(20) === 0) client.socket.pause();
  client.run({ query: '{ viewer { id } }' });
  await Promise.race([client.closed, wait(dice.whole(400))]);
  if (dice.whole(2) === 0) for (const each of streams) each.leave();
  if (dice.whole(3) === 0) return client.cut();
  client.socket.close(1000);
  await Promise.race([client.closed, wait(500)]);
  client.cut();
}

async function stream(url: string, token: string, channel: string): Promise<void> {
  const client = new EventStreamClient(`${url}/graphql`, token, { query: follow, variables: { channel } });
  await wait(200);
  client.cut();
}

function neverIntroduced(port: number): Promise<void> {
  return new Promise((resolve) => {
    const wire = createConnection({ host, port }, () => wire.write('GET /graphql HTTP/1.1\r\nhost: local'));
    wire.on('error', () => {});
    setTimeout(() => {
      wire.destroy();
      resolve();
    }, 100);
  });
}
