import { Agent } from 'node:http';
import { post } from './post.ts';

const send =
  'mutation Send($channel: String!, $body: String!) { sendMessage(input: { channel: $channel, body: $body, clientId: $body }) { id } }';
const againMs = 50;

/**
 * Sends numbered messages at a steady rate, whatever happens: each is tried until it is acknowledged, with the
 * same `clientId`. The number is the body.
 */
export class SteadySender {
  /** In the order of the acknowledgements. */
  readonly acknowledged: number[] = [];
  /** By number: when the try began that was acknowledged. */
  readonly sentAt: number[] = [];
  readonly acknowledgedAt: number[] = [];
  /** Tries that failed, by what was answered. */
  readonly failures = new Map<string, number>();
  readonly #options: SenderOptions;
  readonly #agent = new Agent({ keepAlive: true });
  #count = 0;
  #startedAt = 0;
  #isOver = false;
  #working: Promise<unknown> = Promise.resolve();

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  start(): void {
    this.#startedAt = performance.now();
    const { atOnce } = this.#options;
    this.#working = Promise.all(Array.from({ length: atOnce }, (_, index) => this.#work(index)));
  }

  /** Resolves when everything that was begun has been acknowledged. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#working;
    this.#agent.destroy();
  }

  channelOf(number: number): string {
    const { channels } = this.#options;
    return channels[number % channels.length]!;
  }

  /** What was acknowledged of one channel. */
  acknowledgedIn(channel: string): number[] {
    return this.acknowledged.filter((number) => this.channelOf(number) === channel);
  }

  async #work(index: number): Promise<void> {
    const { atOnce, perSecond } = this.#options;
    for (let turn = 0; !this.#isOver; turn += 1) {
      const dueAt = this.#startedAt + ((turn * atOnce + index) * 1_000) / perSecond;
      const earlyMs = dueAt - performance.now();
      if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs));
      await this.#send(this.#count++);
    }
  }

  async #send(number: number): Promise<void> {
    const variables = { channel: this.channelOf(number), body: String(number) };
    for (;;) {
      const { url, token, withinMs } = this.#options;
      this.sentAt[number] = performance.now();
      const failure = await post(
        url(),
        { token, agent: this.#agent, withinMs },
        { query: send, variables },
      ).then(
        ({ status, data, errors }) =>
          data && !errors ? null : `${status} ${errors?.[0]?.extensions?.code ?? ''}`,
        (error) => String(error.code ?? error.name),
      );
      if (failure === null) break;
      this.failures.set(failure, (this.failures.get(failure) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
    this.acknowledgedAt[number] = performance.now();
    this.acknowledged.push(number);
  }
}

interface SenderOptions {
  /** Asked anew for each try. */
  url(): string;
  readonly token: string;
  /** The members of the sender are the token's user. */
  readonly channels: readonly string[];
  readonly perSecond: number;
  /** How many messages may be under way at once. */
  readonly atOnce: number;
  /** How long a try may take. @default 5_000 */
  readonly withinMs?: number;
}
