import type { Payload } from './websocket.ts';

/** What all followers ask for; the bodies are the numbers of a `SteadySender`. */
export const follow = 'subscription Follow($channel: String!) { channelMessage(channel: $channel) { body } }';

/** What one client of a channel has heard, and how long it was away each time that it lost its connection. */
export class Follower {
  readonly name: string;
  readonly channel: string;
  readonly heard: number[] = [];
  /** By number: when it came. */
  readonly heardAt = new Map<number, number>();
  /** From the loss of a connection to the first sign of a subscription on the next, in milliseconds. */
  readonly absences: number[] = [];
  readonly losses: number[] = [];
  /** Of what was heard last. */
  position: string | undefined;
  /** Why it gave up; a client that comes back by itself never does. */
  endedBy: string | undefined;
  #lostAt: number | undefined;

  constructor(name: string, channel: string, position?: string) {
    this.name = name;
    this.channel = channel;
    this.position = position;
  }

  get isAway(): boolean {
    return this.#lostAt !== undefined;
  }

  hear({ data, errors, extensions }: Payload): void {
    if (!data) return void this.end(JSON.stringify(errors));
    this.back();
    this.position = extensions!.position;
    const number = Number(data.channelMessage.body);
    this.heard.push(number);
    this.heardAt.set(number, performance.now());
  }

  lost(): void {
    if (this.#lostAt !== undefined) return;
    this.#lostAt = performance.now();
    this.losses.push(this.#lostAt);
  }

  back(): void {
    if (this.#lostAt === undefined) return;
    this.absences.push(performance.now() - this.#lostAt);
    this.#lostAt = undefined;
  }

  end(reason: string): void {
    this.endedBy ??= reason;
  }
}
