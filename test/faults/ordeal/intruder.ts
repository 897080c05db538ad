import { EventStreamClient } from '../../support/sse.ts';
import { SocketClient, type Stream } from '../../support/websocket.ts';
import { type Dice, wait } from './dice.ts';
import { insist } from './sender.ts';
import type { Node, Site } from './site.ts';

const add = 'mutation A { addChannelMember(channel: "secret", userId: "mallory") { id } }';
const remove = 'mutation R { removeChannelMember(channel: "secret", userId: "mallory") { id } }';
const send = 'mutation S($input: SendMessageInput!) { sendMessage(input: $input) { id } }';
const follow = 'subscription { channelMessage(channel: "secret") { body } }';

const openMs = 3_000;
/** What is promised of a site without troubles. */
const endsWithinMs = 1_000;
/** How long after a trouble events may still be late: a lease has to run out. */
const settlingMs = 6_000;
/** Longer than any trouble lasts. */
const patienceMs = 30_000;

/**
 * Mallory is let into a private channel and put out again, while others go on talking there. What was sent after
 * the answer to the putting out must never be heard, and where nothing is amiss `FORBIDDEN` comes within a second.
 */
export class Intruder {
  rounds = 0;
  /** Rounds without a trouble, in which it is known how soon the end has to come. */
  calmRounds = 0;
  /** What was heard while it was allowed. */
  heard = 0;
  readonly broken: string[] = [];
  /** How long after the answer the subscription still stood, where it ended by itself. */
  readonly endedAfterMs: number[] = [];
  #sent = 0;
  #isOver = false;
  readonly #site: Site;
  readonly #dice: Dice;
  readonly #owner: string;
  readonly #mallory: string;
  readonly #running: Promise<void>;

  constructor(site: Site, dice: Dice, owner: string, mallory: string) {
    this.#site = site;
    this.#dice = dice;
    this.#owner = owner;
    this.#mallory = mallory;
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await this.#change(add);
      await this.#round();
      await this.#change(remove);
      await wait(this.#dice.between(200, 1_000));
    }
  }

  async #round(): Promise<void> {
    const site = this.#site;
    const calmFrom = performance.now();
    const node = site.pick(this.#dice);
    const opened = await this.#open(node);
    if (!opened) return;
    const { life } = node;
    /** The first number that was sent after the removal had been answered. */
    let forbidden = Number.POSITIVE_INFINITY;
    let end: { how: string; at: number } | null = null;
    const hearing = (async () => {
      let how = 'loss';
      for (let frame = await opened.stream.frame(); frame; frame = await opened.stream.frame()) {
        if (frame.type === 'next' && frame.payload.data) {
          const number = Number(frame.payload.data.channelMessage.body.split(' ')[1]);
          this.heard += 1;
          if (number >= forbidden)
            this.broken.push(`mallory heard secret ${number}, allowed up to ${forbidden - 1}`);
          continue;
        }
        const errors =
          frame.type === 'next' ? frame.payload.errors : frame.type === 'error' ? frame.payload : [];
        how = errors?.[0]?.extensions.code ?? frame.type;
        break;
      }
      end = { how, at: performance.now() };
    })();

    let isTalking = true;
    const talking = this.#talk(() => isTalking);
    await wait(this.#dice.between(100, 600));
    await this.#change(remove);
    const removedAt = performance.now();
    forbidden = this.#sent + 1;
    await Promise.race([hearing, wait(endsWithinMs)]);
    const isCalm = () => site.troubles === 0 && site.calmSince + settlingMs < calmFrom && node.life === life;
    const wasCalm = isCalm();
    await Promise.race([hearing, wait(patienceMs)]);
    // What comes late would come now.
    await wait(endsWithinMs / 2);
    isTalking = false;
    await talking;
    opened.cut();
    await hearing;
    this.#judge(end!, removedAt, wasCalm);
  }

  #judge({ how, at }: { how: string; at: number }, removedAt: number, wasCalm: boolean): void {
    this.rounds += 1;
    const afterMs = Math.max(0, Math.round(at - removedAt));
    if (how === 'FORBIDDEN') this.endedAfterMs.push(afterMs);
    if (afterMs >= patienceMs)
      this.broken.push(`mallory's subscription stood for ${afterMs} ms after the removal`);
    if (!wasCalm) return;
    this.calmRounds += 1;
    if (how !== 'FORBIDDEN' || afterMs > endsWithinMs) {
      this.broken.push(
        `mallory's subscription ended with ${how} after ${afterMs} ms, though nothing was amiss`,
      );
    }
  }

  async #talk(isTalking: () => boolean): Promise<void> {
    while (isTalking()) {
      this.#sent += 1;
      const body = `secret ${this.#sent}`;
      await insist(this.#site, this.#dice, this.#owner, send, {
        input: { channel: 'secret', body, clientId: body },
      });
      await wait(this.#dice.between(5, 40));
    }
  }

  async #open({ url }: Node): Promise<{ stream: Stream; cut(): void } | null> {
    const token = this.#mallory;
    if (this.#dice.chance(0.5)) {
      const client = new EventStreamClient(`${url}/graphql`, token, { query: follow });
      const isOpen = await Promise.race([
        client.opened.then(() => true),
        client.ended.then(() => false),
        wait(openMs),
      ]);
      if (!isOpen) client.cut();
      return isOpen ? { stream: client.stream, cut: () => client.cut() } : null;
    }
    const client = new SocketClient(`${url}/graphql`, { token });
    const isIn = await Promise.race([client.acknowledged, client.closed.then(() => null), wait(openMs)]);
    if (!isIn) client.cut();
    return isIn ? { stream: client.run({ query: follow }), cut: () => client.cut() } : null;
  }

  /** What has been done by an attempt whose answer was lost is not done again. */
  async #change(query: string): Promise<void> {
    await insist(this.#site, this.#dice, this.#owner, query, {}).catch((error) => {
      if (!String(error).includes('NOT_FOUND')) throw error;
    });
  }
}
