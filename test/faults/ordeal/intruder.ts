import { SocketClient } from '../../support/websocket.ts';
import { type Dice, wait } from './dice.ts';
import { insist } from './sender.ts';
import type { Site } from './site.ts';

const add = 'mutation A { addChannelMember(channel: "secret", userId: "mallory") { id } }';
const remove = 'mutation R { removeChannelMember(channel: "secret", userId: "mallory") { id } }';
const send = 'mutation S($input: SendMessageInput!) { sendMessage(input: $input) { id } }';
const follow = 'subscription { channelMessage(channel: "secret") { body } }';

/**
 * Mallory is let into a private channel and put out again. What was sent after the answer to the putting out
 * must never be heard.
 */
export class Intruder {
  rounds = 0;
  /** What was heard and should not have been. */
  readonly leaked: string[] = [];
  /** How long after the answer the subscription still stood, where it ended by itself. */
  readonly endedAfterMs: number[] = [];
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(site: Site, dice: Dice, owner: string, mallory: string) {
    this.#running = this.#run(site, dice, owner, mallory);
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(site: Site, dice: Dice, owner: string, mallory: string): Promise<void> {
    let sent = 0;
    const say = async () => {
      sent += 1;
      const input = { channel: 'secret', body: `secret ${sent}`, clientId: `secret ${sent}` };
      await insist(site, dice, owner, send, { input });
    };
    while (!this.#isOver) {
      await tryOnce(site, dice, owner, add);
      const client = new SocketClient(`${site.pick(dice).url}/graphql`, { token: mallory });
      const isIn = await Promise.race([client.acknowledged, client.closed.then(() => null), wait(3_000)]);
      if (isIn) {
        const stream = client.run({ query: follow });
        for (let count = 0; count < 3; count += 1) await say();
        await tryOnce(site, dice, owner, remove);
        const removedAt = performance.now();
        const last = sent;
        let endedAt: number | null = null;
        const ended = (async () => {
          for (let frame = await stream.frame(); frame; frame = await stream.frame()) {
            if (frame.type === 'error') endedAt = performance.now();
            if (frame.type !== 'next' || !frame.payload.data) continue;
            const { body } = frame.payload.data.channelMessage;
            if (Number(body.split(' ')[1]) > last) this.leaked.push(`${body} after ${last}`);
          }
        })();
        for (let count = 0; count < 3; count += 1) await say();
        await wait(1_000);
        client.cut();
        await ended;
        if (endedAt !== null) this.endedAfterMs.push(Math.max(0, Math.round(endedAt - removedAt)));
        this.rounds += 1;
      }
      client.cut();
      await tryOnce(site, dice, owner, remove);
      await wait(dice.between(200, 1_000));
    }
  }
}

/** What has been done by an attempt whose answer was lost is not done again. */
async function tryOnce(site: Site, dice: Dice, owner: string, query: string): Promise<void> {
  await insist(site, dice, owner, query, {}).catch((error) => {
    if (!String(error).includes('NOT_FOUND')) throw error;
  });
}
