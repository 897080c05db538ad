/** So much of a kind is under way at once for each owner; what else they ask for waits, first come, first served. */
export class Lanes {
  readonly #width: number;
  #lanes = new Map<string, Lane>();

  constructor(width: number) {
    this.#width = width;
  }

  async run<Result>(owner: string, work: () => Promise<Result>): Promise<Result> {
    const lane = this.#lanes.get(owner) ?? { running: 0, waiting: [] };
    this.#lanes.set(owner, lane);
    if (lane.running < this.#width) lane.running += 1;
    else await new Promise<void>((resolve) => lane.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = lane.waiting.shift();
      if (next) next();
      else {
        lane.running -= 1;
        if (lane.running === 0) this.#lanes.delete(owner);
      }
    }
  }
}

interface Lane {
  running: number;
  readonly waiting: (() => void)[];
}
