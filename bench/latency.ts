import { spawn } from 'node:child_process';
import { createTokens } from '../src/auth/tokens.ts';
import { unlimited } from '../test/support/unlimited.ts';
import { SocketClient } from '../test/support/websocket.ts';
import { onEachDatabase } from './databases.ts';
import type { Row } from './run.ts';

const secret = 'a secret of the benchmarks, long enough to be one';
const follow = 'subscription { channelMessage(channel: "general") { body } }';
const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body }) { id } }';

/** From the mutation's leaving to the event's arrival, over one WebSocket each, at a steady rate. */
export async function latency(): Promise<Row[]> {
  const results = await onEachDatabase(async (kind, environment) => {
    const server = await start(environment);
    const rows = [await measure(kind, server.url, 1, 20), await measure(kind, server.url, 500, 5_000)];
    server.stop();
    return rows;
  });
  return results.flat();
}

async function measure(kind: string, url: string, perSecond: number, count: number): Promise<Row> {
  const token = await createTokens({ secret }).sign!({ userId: 'bench', roles: [], lifetimeMs: 3_600_000 });
  const connect = async () => {
    const client = new SocketClient(`${url}/graphql`, { token });
    await client.acknowledged;
    return client;
  };
  const [sender, listener] = [await connect(), await connect()];
  await sender.run({ query: 'mutation { createChannel(input: { name: "general" }) { id } }' }).next();
  const stream = listener.run({ query: follow });
  await listener.run({ query: '{ viewer { id } }' }).next();

  const sentAt = new Map<string, number>();
  const took: number[] = [];
  const heard = (async () => {
    while (took.length < count) {
      const { data } = await stream.next();
      took.push(performance.now() - sentAt.get(data.channelMessage.body)!);
    }
  })();
  const startedAt = performance.now();
  for (let index = 0; index < count; index += 1) {
    const dueAt = startedAt + (index * 1_000) / perSecond;
    const earlyMs = dueAt - performance.now();
    if (earlyMs > 1) await new Promise((resolve) => setTimeout(resolve, earlyMs));
    const body = `${perSecond}.${index}`;
    sentAt.set(body, performance.now());
    sender.run({ query: send, variables: { body } });
  }
  // Whoever cannot keep up has not lost anything: it is heard later.
  await heard;
  const seconds = (performance.now() - startedAt) / 1_000;
  took.sort((one, other) => one - other);
  const at = (part: number) => Number(took[Math.floor((took.length - 1) * part)]!.toFixed(1));
  sender.cut();
  listener.cut();
  return {
    database: kind,
    'asked for, messages/s': perSecond,
    'reached, messages/s': Math.round(count / seconds),
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
    heard: took.length,
  };
}

function start(environment: Record<string, string>): Promise<{ url: string; stop(): void }> {
  const { PATH, HOME } = process.env;
  const settings = { PORT: '0', JWT_SECRET: secret, LOG_LEVEL: 'warn', DRAIN_SECONDS: '0', ...unlimited };
  const child = spawn(process.execPath, ['scripts/start.js'], {
    env: { PATH, HOME, ...settings, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve) => {
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      const [, url] = /^listening on (\S+)$/m.exec(output) ?? [];
      if (url) resolve({ url, stop: () => void child.kill('SIGTERM') });
    });
  });
}
