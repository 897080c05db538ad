import { type Answer, post } from '../../support/post.ts';
import { type Dice, wait } from './dice.ts';
import type { Site } from './site.ts';

const sendMessage = 'mutation S($input: SendMessageInput!) { sendMessage(input: $input) { id } }';
const emitEvent = 'mutation E($input: EmitEventInput!) { emitEvent(input: $input) }';
const answerMs = 4_000;

/** One operation on a random node, again and again until it is answered; what passes by itself is tried anew. */
export async function insist(
  site: Site,
  dice: Dice,
  token: string,
  query: string,
  variables: object,
  failed: (attempt: number) => void = () => {},
): Promise<any> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await attemptOnce(site.pick(dice).url, token, query, variables);
    if (answer?.data && !answer.errors) return answer.data;
    const code = answer?.errors?.[0]?.extensions?.code;
    if (code && code !== 'UNAVAILABLE') throw new Error(`${query}: ${JSON.stringify(answer!.errors)}`);
    failed(attempt);
    await wait(dice.between(20, 300));
  }
}

/** Null when there was no whole answer. */
export function attemptOnce(
  url: string,
  token: string,
  query: string,
  variables: object,
): Promise<Answer | null> {
  const operation = { query, variables: variables as Record<string, unknown> };
  return post(url, { token, withinMs: answerMs }, operation).catch(() => null);
}

/** Sends messages one by one, each until it is answered: its `clientId` keeps it from being there twice. */
export class Sender {
  readonly acknowledged: string[] = [];
  retries = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor({ site, dice, token, name, channel, pauseMs }: SenderOptions) {
    this.#running = (async () => {
      for (let index = 0; !this.#isOver; index += 1) {
        const body = `${name}.${index}`;
        await insist(site, dice, token, sendMessage, { input: { channel, body, clientId: body } }, () => {
          this.retries += 1;
        });
        this.acknowledged.push(body);
        await wait(dice.between(0, 2 * pauseMs));
      }
    })();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

const longBody = 9_000;

/** Long messages in a heap, more than the buffers between a server and a client that does not read can hold. */
export class Flood {
  readonly acknowledged: string[] = [];
  readonly #site: Site;
  readonly #token: string;

  constructor(site: Site, token: string) {
    this.#site = site;
    this.#token = token;
  }

  async pour(count: number, dice: Dice): Promise<void> {
    const lanes = Array.from({ length: 8 }, () => dice.fork());
    await Promise.all(
      lanes.map(async (lane) => {
        while (count-- > 0) {
          const clientId = `f${dice.next()}`;
          const body = `${clientId} ${longBody} `.padEnd(longBody, 'x');
          const input = { channel: 'general', body, clientId };
          await insist(this.#site, lane, this.#token, sendMessage, { input });
          this.acknowledged.push(clientId);
        }
      }),
    );
  }
}

/** Emits events. They have no `clientId`: what was not answered may be there or not, but once at most. */
export class Emitter {
  readonly acknowledged: string[] = [];
  readonly attempted = new Set<string>();
  #isOver = false;
  readonly #options: SenderOptions;
  readonly #running: Promise<void>;

  constructor(options: SenderOptions) {
    this.#options = options;
    const { dice, name, pauseMs } = options;
    this.#running = (async () => {
      for (let index = 0; !this.#isOver; index += 1) {
        await this.#emit(`${name}.${index}`);
        await wait(dice.between(0, 2 * pauseMs));
      }
    })();
  }

  /** A last event, of which each try is another. */
  async end(): Promise<void> {
    for (let index = 0; !(await this.#emit(`the.end.${index}`)); index += 1) await wait(100);
  }

  async #emit(payload: string): Promise<boolean> {
    const { site, dice, token } = this.#options;
    this.attempted.add(payload);
    const input = { type: 'ordeal', payload, recipients: [{ everyone: true }, { channel: 'general' }] };
    const answer = await attemptOnce(site.pick(dice).url, token, emitEvent, { input });
    const isThere = Boolean(answer?.data?.emitEvent);
    if (isThere) this.acknowledged.push(payload);
    return isThere;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

interface SenderOptions {
  readonly site: Site;
  readonly dice: Dice;
  readonly token: string;
  readonly name: string;
  readonly channel: string;
  readonly pauseMs: number;
}
