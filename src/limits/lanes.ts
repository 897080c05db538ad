/** So much is under way at once; what else is asked for waits, first come, first served. */
export class Lane {
  readonly #width: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  get isEmpty(): boolean {
    return this.#running === 0;
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running < this.#width) this.#running += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}

/** A lane for each owner. */
export class Lanes {
  readonly #width: number;
  readonly #lanes = new Map<string, Lane>();

  constructor(width: number) {
    this.#width = width;
  }

  async run<Result>(owner: string, work: () => Promise<Result>): Promise<Result> {
    const lane = this.#lanes.get(owner) ?? new Lane(this.#width);
    this.#lanes.set(owner, lane);
    try {
      return await lane.run(work);
    } finally {
      if (lane.isEmpty) this.#lanes.delete(owner);
    }
  }
}
