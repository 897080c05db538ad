import type { NodeProcess } from '../../support/node-process.ts';
import { post } from '../../support/post.ts';
import { inWords } from '../../support/spread.ts';

const everyMs = 200;
const givenUpMs = 30_000;
const query = '{ channel(name: "general") { id } }';

/** Asks one node for something of the database, and whether it is ready, again and again. */
export class Probe {
  readonly #from = performance.now();
  readonly #node: NodeProcess;
  #isOver = false;
  #asking: Promise<unknown>;
  #longestMs = 0;
  #outcomes = new Map<string, number>();
  #firstUnreadyAt: number | undefined;

  constructor(node: NodeProcess, token: string) {
    this.#node = node;
    this.#asking = Promise.all([this.#askDatabase(token), this.#askReadiness()]);
  }

  /** When it last became able to answer: undefined while it is not. */
  answeringSince: number | undefined;

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#asking;
  }

  /** What was seen, for people. */
  describe(healedAt: number): string {
    const outcomes = [...this.#outcomes].map(([what, count]) => `${count} × ${what}`).join(', ');
    const unready =
      this.#firstUnreadyAt === undefined
        ? 'all the time'
        : `for ${inWords(this.#firstUnreadyAt - this.#from)}`;
    const since = Math.max(0, (this.answeringSince ?? Number.NaN) - healedAt);
    return `queries: ${outcomes}, the slowest after ${inWords(this.#longestMs)}, all well ${inWords(since)} after the healing; ready ${unready}`;
  }

  async #askDatabase(token: string): Promise<void> {
    while (!this.#isOver) {
      const askedAt = performance.now();
      const outcome = await post(this.#node.url, { token, withinMs: givenUpMs }, { query }).then(
        ({ status, data, errors }) =>
          data?.channel && !errors ? 'answered' : `${status} ${errors?.[0]?.extensions?.code ?? ''}`,
        (error) => String(error.code ?? error.name),
      );
      const answeredAt = performance.now();
      this.#longestMs = Math.max(this.#longestMs, answeredAt - askedAt);
      this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
      if (outcome !== 'answered') this.answeringSince = undefined;
      else this.answeringSince ??= answeredAt;
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  async #askReadiness(): Promise<void> {
    while (!this.#isOver) {
      if ((await this.#node.readiness()) !== 200) this.#firstUnreadyAt ??= performance.now();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }
}
