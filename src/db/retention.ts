import { isAway, sqlState } from './database.ts';

/** `done`: nothing is left to do. `busy`: somebody was in the way, and it is tried again. */
export type Outcome = 'done' | 'busy' | 'failed';

/** One bounded step. Answers whether there may be more to do. */
export type Step = () => Promise<boolean>;

/** So many steps of one task follow each other; then the others have their turn before it goes on. */
const mostSteps = 20;
/** Between two steps others are given room. */
const pauseMs = 50;

/**
 * Removes what has been kept for long enough, in steps that are small and stand alone: a leader that dies in the
 * middle, or two that believe to lead, leave nothing wrong. Whoever leads does it, now and then.
 */
export class Retention {
  readonly #options: RetentionOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
    }, this.#options.everyMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (await this.#round());
  }

  /** One turn of each task. Answers whether one of them may have more to do. */
  async #round(): Promise<boolean> {
    const { tasks, ran, failed } = this.#options;
    let isMore = false;
    for (const [task, step] of Object.entries(tasks)) {
      if (!this.#isWanted) return false;
      try {
        if (await this.#work(step)) isMore = true;
        else ran(task, 'done');
      } catch (error) {
        const isBusy = inTheWay.has(sqlState(error) ?? '');
        ran(task, isBusy ? 'busy' : 'failed');
        if (!isBusy) failed(error);
        // It is away for the others as well.
        if (isAway(error)) return false;
      }
    }
    return isMore;
  }

  get #isWanted(): boolean {
    return !this.#isClosed && this.#options.isLeading();
  }

  async #work(step: Step): Promise<boolean> {
    for (let count = 0; count < mostSteps && this.#isWanted; count += 1) {
      if (!(await step())) return false;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    return true;
  }
}

/**
 * lock_not_available, query_canceled, deadlock_detected; and what a partition says that another node has taken out
 * first: object_not_in_prerequisite_state, undefined_table, wrong_object_type.
 */
const inTheWay = new Set(['55P03', '57014', '40P01', '55000', '42P01', '42809']);

interface RetentionOptions {
  readonly everyMs: number;
  /** By their names in the metrics. */
  readonly tasks: Readonly<Record<string, Step>>;
  isLeading(): boolean;
  ran(task: string, outcome: Outcome): void;
  failed(error: unknown): void;
}
