import { Follower } from '../../support/follower.ts';
import { signToken } from '../../support/node-process.ts';
import { followAsStock, followResuming } from '../../support/socket-follower.ts';
import { followStream } from '../../support/stream-follower.ts';
import { until } from '../../support/until.ts';

/** How many of each kind. */
const sizes = { stock: 200, socket: 100, stream: 100 };
const wires = { stock: followAsStock, socket: followResuming, stream: followStream };
type Kind = keyof typeof sizes;
const kinds = Object.keys(sizes) as Kind[];

/** Everybody who listens while the nodes are rolled. */
export class Audience {
  readonly stock: readonly Follower[];
  /** Who resumes by position, over either wire. */
  readonly resuming: readonly Follower[];
  readonly #all: readonly (readonly [Kind, Follower])[];
  #leaving: (() => void)[] = [];

  /** Spread over the channels; those who resume begin behind `position`. */
  constructor(channels: readonly string[], position: string) {
    this.#all = kinds.flatMap((kind) =>
      Array.from({ length: sizes[kind] }, (_, index) => {
        const channel = channels[index % channels.length]!;
        const follower = new Follower(`${kind} ${index}`, channel, kind === 'stock' ? undefined : position);
        return [kind, follower] as const;
      }),
    );
    this.stock = this.of('stock');
    this.resuming = [...this.of('socket'), ...this.of('stream')];
  }

  of(wanted: Kind): Follower[] {
    return this.#all.filter(([kind]) => kind === wanted).map(([, follower]) => follower);
  }

  get everybody(): Follower[] {
    return this.#all.map(([, follower]) => follower);
  }

  async listen(url: string): Promise<void> {
    const token = await signToken('reader');
    this.#leaving = this.#all.map(([kind, follower]) => wires[kind](follower, url, token));
  }

  async allHear(): Promise<void> {
    await until('everybody hears', 30_000, () => this.everybody.every(({ heard }) => heard.length > 0));
  }

  leave(): void {
    for (const leave of this.#leaving) leave();
  }
}
