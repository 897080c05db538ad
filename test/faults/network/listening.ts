import { disagreements } from '../../support/agreement.ts';
import { Follower } from '../../support/follower.ts';
import { type NodeProcess, signToken } from '../../support/node-process.ts';
import { followResuming } from '../../support/socket-follower.ts';
import type { SteadySender } from '../../support/steady-sender.ts';
import { followStream } from '../../support/stream-follower.ts';
import { until } from '../../support/until.ts';

/** A ping is answered at once; an event stream that has nothing to say says its position every 15 seconds. */
const silence = { socket: 5_000, stream: 20_000 };
const completeWithinMs = 60_000;

/** A socket and an event stream on each node, that resume by position and notice when their server is gone. */
export class Listening {
  readonly #followers: Readonly<Record<string, readonly Follower[]>>;
  readonly #sender: SteadySender;
  #leaving: (() => void)[] = [];

  constructor(nodes: readonly NodeProcess[], sender: SteadySender, channel: string, position: string) {
    this.#sender = sender;
    this.#followers = Object.fromEntries(
      nodes.map(({ name }) => [
        name,
        ['socket', 'stream'].map((wire) => new Follower(`${wire} on ${name}`, channel, position)),
      ]),
    );
  }

  async begin(nodes: readonly NodeProcess[]): Promise<void> {
    const token = await signToken('reader');
    for (const { name, url } of nodes) {
      const [socket, stream] = this.on(name);
      this.#leaving.push(followResuming(socket!, url, token, { silenceMs: silence.socket }));
      this.#leaving.push(followStream(stream!, url, token, { silenceMs: silence.stream }));
    }
  }

  on(name: string): readonly Follower[] {
    return this.#followers[name]!;
  }

  /** What they have missed, heard twice or out of order, once they had time to hear all that was sent. */
  async faults(): Promise<string[]> {
    const all = Object.values(this.#followers).flat();
    const { acknowledged } = this.#sender;
    const isComplete = () => all.every(({ heard }) => heard.length >= acknowledged.length);
    await until('everybody has heard all', completeWithinMs, isComplete).catch(() => {});
    return disagreements(all, acknowledged);
  }

  leave(): void {
    for (const leave of this.#leaving) leave();
  }
}
