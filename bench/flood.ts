import { fork } from 'node:child_process';
import { once } from 'node:events';
import { signToken } from '../test/support/node-process.ts';
import { SocketClient } from '../test/support/websocket.ts';
import type { Target } from './flood-clients.ts';
import { cpuOf, pause, percentile, type Rival, startOurs, subscriptionTo } from './rivals.ts';
import type { Row } from './run.ts';

const floods = [
  'nothing',
  'messages',
  'operations',
  'subscribes',
  'connects',
  'silent',
  'texts',
  'bombs',
] as const;
export type Flood = (typeof floods)[number];

/** Each keeps to the default limits: 300 operations a minute of 600, 50 messages in ten seconds of 60. */
const neighbours = 4;
const everyMs = 200;
/** Of each neighbour in each phase. */
const messages = 100;
const rounds = process.argv.includes('--once') ? 1 : 3;
/** Until a flood is at its height, and until nothing of it is left. */
const settleMs = 2_000;
const send =
  'mutation Send($channel: String!, $body: String!) { sendMessage(input: { channel: $channel, body: $body }) { id } }';

/**
 * What well-behaved clients notice of somebody who is not, at default limits. Where there are two cores, the flood has
 * one of them: the flood of `nothing` shows what that alone does. `--only bombs,silent` narrows it down.
 */
export async function flood(): Promise<Row[]> {
  const only = process.argv[process.argv.indexOf('--only') + 1]?.split(',') ?? [];
  const chosen = floods.filter((each) => !process.argv.includes('--only') || only.includes(each));
  const channels = Array.from({ length: neighbours }, (_, index) => `c${index}`);
  const rival = await startOurs([...channels, 'flooded'], { DRAIN_SECONDS: '0' });
  const phases = new Map<Flood | 'quiet', Phase>();
  const add = (name: Flood | 'quiet', { latencies, asked, cpu, seconds }: Phase) => {
    const so = phases.get(name) ?? { latencies: [], asked: 0, cpu: 0, seconds: 0 };
    so.latencies.push(...latencies);
    const sums = { asked: so.asked + asked, cpu: so.cpu + cpu, seconds: so.seconds + seconds };
    phases.set(name, { ...so, ...sums });
  };
  try {
    const pairs = await Promise.all(channels.map((channel) => Neighbour.enter(rival, channel)));
    await measure(rival, pairs);
    for (let round = 0; round < rounds; round += 1) {
      add('quiet', await measure(rival, pairs));
      for (const [index, flood] of chosen.entries()) {
        const token = await signToken(`${flood} ${round}`);
        const address = `127.0.${round + 1}.${index + 1}`;
        add(
          flood,
          await measure(rival, pairs, { flood, token, address, port: rival.port, channel: 'flooded' }),
        );
        await pause(settleMs);
      }
      add('quiet', await measure(rival, pairs));
    }
  } finally {
    await rival.stop();
  }
  const quiet = percentile(phases.get('quiet')!.latencies, 0.99);
  return [...phases].map(([name, { latencies, asked, cpu, seconds }]) => {
    const p99 = percentile(latencies, 0.99);
    return {
      flood: name,
      'asked/s': Math.round(asked / seconds),
      'server CPU': Number((cpu / seconds).toFixed(2)),
      'p50 ms': Number(percentile(latencies, 0.5).toFixed(1)),
      'p99 ms': Number(p99.toFixed(1)),
      'p99 × quiet': Number((p99 / quiet).toFixed(2)),
      heard: latencies.length,
    };
  });
}

interface Phase {
  readonly latencies: number[];
  /** Messages, requests or connections of the flood. */
  readonly asked: number;
  /** In seconds. */
  readonly cpu: number;
  readonly seconds: number;
}

async function measure(rival: Rival, pairs: readonly Neighbour[], target?: Target): Promise<Phase> {
  const startedAt = performance.now();
  const flood = target && new Flooding(target);
  if (flood) await pause(settleMs);
  const [cpu, calmAt] = [cpuOf(rival.pid), performance.now()];
  const latencies = await Promise.race([
    Promise.all(pairs.map((pair, index) => pair.talk((index * everyMs) / neighbours))),
    ...(flood ? [flood.failed] : []),
  ]);
  const share = (cpuOf(rival.pid) - cpu) / (performance.now() - calmAt);
  const asked = (await flood?.stop()) ?? 0;
  const seconds = (performance.now() - startedAt) / 1_000;
  return { latencies: latencies.flat(), asked, cpu: share * 1_000 * seconds, seconds };
}

/** The process that all flooding clients are in: it takes a core, and no more. */
class Flooding {
  readonly #child;
  /** Rejects when it ends by itself. */
  readonly failed: Promise<never>;

  constructor(target: Target) {
    this.#child = fork(new URL('flood-clients.ts', import.meta.url).pathname, [JSON.stringify(target)], {
      execArgv: ['--import', 'tsx'],
    });
    this.failed = once(this.#child, 'exit').then(([code]) => {
      if (code === 0) return new Promise<never>(() => {});
      throw new Error(`The flood of ${target.flood} gave up.`);
    });
  }

  /** The answer is how much it asked. */
  async stop(): Promise<number> {
    this.#child.send('stop');
    const [asked] = await Promise.race([once(this.#child, 'message'), this.failed]);
    return asked as number;
  }
}

/** Two sockets of a user in a channel of their own: one sends, the other hears. */
class Neighbour {
  readonly #channel: string;
  readonly #sender: SocketClient;
  readonly #stream: ReturnType<SocketClient['run']>;
  #count = 0;

  private constructor(channel: string, sender: SocketClient, listener: SocketClient) {
    this.#channel = channel;
    this.#sender = sender;
    this.#stream = listener.run({ query: subscriptionTo(channel) });
  }

  static async enter({ port }: Rival, channel: string): Promise<Neighbour> {
    const token = await signToken(`neighbour in ${channel}`);
    const connect = () => new SocketClient(`http://127.0.0.1:${port}/graphql`, { token });
    const [sender, listener] = [connect(), connect()];
    await Promise.all([sender.acknowledged, listener.acknowledged]);
    const neighbour = new Neighbour(channel, sender, listener);
    await listener.run({ query: `mutation { joinChannel(name: "${channel}") { id } }` }).next();
    return neighbour;
  }

  /** From each mutation's leaving to its event's arrival, in milliseconds. Nobody waits for the one before. */
  async talk(delayMs: number): Promise<number[]> {
    const sentAt = new Map<string, number>();
    const startedAt = performance.now() + delayMs;
    const sending = (async () => {
      const answers = [];
      for (let index = 0; index < messages; index += 1) {
        await pause(Math.max(0, startedAt + index * everyMs - performance.now()));
        this.#count += 1;
        const body = `${this.#count}`;
        sentAt.set(body, performance.now());
        const variables = { channel: this.#channel, body };
        answers.push(this.#sender.run({ query: send, variables }).next());
      }
      for (const { errors } of await Promise.all(answers)) {
        if (errors) throw new Error(JSON.stringify(errors));
      }
    })();
    const hearing = (async () => {
      const latencies: number[] = [];
      while (latencies.length < messages) {
        const { data } = await this.#stream.next();
        latencies.push(performance.now() - sentAt.get(data.channelMessage.body)!);
      }
      return latencies;
    })();
    return (await Promise.all([hearing, sending]))[0];
  }
}
