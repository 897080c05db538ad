import { backoff, type Pace } from './backoff.ts';
import { isPassing, OperationError } from './errors.ts';
import type { Answer, Link } from './link.ts';
import type { Payload } from './operation.ts';
import type { GraphQLFailure, OperationResult } from './types.ts';

/** What a subscription needs of its client. */
export interface Surroundings {
  readonly pace: Pace;
  /** The head of the journal. */
  headPosition(): Promise<string>;
  /** Keeps where it is, for when the page is loaded again; null to forget it. */
  keep(position: string | null): void;
  /** It is over, by itself. */
  ended(): void;
}

export interface Listener {
  next(result: OperationResult<unknown>): void;
  resync(): void;
  error(error: OperationError): void;
  complete(): void;
}

/**
 * One subscription over however many connections: each time it continues behind its last event, or, before there
 * was one, from where it began. That place is known before it is sent: the connection says it when it is opened, and
 * is asked for it later on. So what is cut off right after it was sent misses nothing, and hears nothing older.
 */
export class Subscription {
  readonly #payload: Payload;
  readonly #listener: Listener;
  readonly #surroundings: Surroundings;
  #position: string | null;
  /** It came from a storage, and nothing has been heard with it. */
  #isFromStorage: boolean;
  #link: Link | null = null;
  #leave: (() => void) | null = null;
  /** Errors without data: what the completion behind them is about. */
  #refusal: readonly GraphQLFailure[] | null = null;
  /** In a row, without an event between. */
  #setbacks = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Of the connection and of the time since: what was begun before has no say any more. */
  #turn = 0;
  #isOver = false;
  /** Resolves when it has been sent; null where nobody has to wait for that. */
  sending: Promise<void> | null = null;

  constructor(
    payload: Payload,
    position: { readonly given: string | null; readonly isFromStorage: boolean },
    listener: Listener,
    surroundings: Surroundings,
  ) {
    this.#payload = payload;
    this.#position = position.given;
    this.#isFromStorage = position.isFromStorage;
    this.#listener = listener;
    this.#surroundings = surroundings;
  }

  /** @param head the position of a connection that has just been opened; null for one that has been open for a while */
  attach(link: Link, head: string | null): void {
    this.detach();
    if (this.#isOver) return;
    this.#link = link;
    if (this.#position === null && head === null) this.sending = this.#begin();
    else this.#subscribe(link, head);
  }

  /** The connection is lost. */
  detach(): void {
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#link = null;
    this.#refusal = null;
    this.#leave = null;
    this.sending = null;
  }

  /** Nobody listens any more. */
  end(): void {
    const leave = this.#leave;
    this.#isOver = true;
    this.detach();
    leave?.();
  }

  /** @param head where it begins if it has not begun yet: it is sent from now, since what is committed is not told */
  #subscribe(link: Link, head: string | null = null): void {
    const turn = ++this.#turn;
    const after = this.#position;
    if (after === null && head !== null) this.#moveTo(head);
    const isStale = () => turn !== this.#turn;
    const extensions = { ...this.#payload.extensions, ...(after === null ? {} : { after }) };
    this.#leave = link.subscribe(
      { ...this.#payload, ...(Object.keys(extensions).length > 0 ? { extensions } : {}) },
      {
        next: (answer) => {
          if (!isStale()) this.#hear(answer);
        },
        error: (errors) => {
          if (!isStale()) this.#refused(errors);
        },
        complete: () => {
          if (isStale()) return;
          if (this.#refusal) this.#refused(this.#refusal);
          else this.#finish(() => this.#listener.complete());
        },
      },
    );
  }

  #hear({ data = null, errors, extensions }: Answer): void {
    const position = typeof extensions?.position === 'string' ? extensions.position : null;
    if (errors && data === null && position === null) {
      this.#refusal = errors;
      return;
    }
    this.#setbacks = 0;
    this.#isFromStorage = false;
    if (position !== null) this.#position = position;
    this.#listener.next({ data, ...(errors ? { errors } : {}), position });
    // Kept when it has been listened to: who leaves the page in the middle hears it again.
    if (position !== null) this.#surroundings.keep(position);
  }

  #moveTo(position: string): void {
    this.#position = position;
    this.#surroundings.keep(position);
  }

  #refused(errors: readonly GraphQLFailure[]): void {
    const error = new OperationError(errors);
    this.#turn += 1;
    this.#refusal = null;
    this.#leave = null;
    if (error.code === 'POSITION_EXPIRED' || (error.code === 'BAD_USER_INPUT' && this.#isFromStorage)) {
      this.#isFromStorage = false;
      this.#later(0, () => this.#resync());
    } else if (error.retryAfterMs !== null) {
      this.#later(error.retryAfterMs, () => this.#again());
    } else {
      this.#surroundings.keep(null);
      this.#finish(() => this.#listener.error(error));
    }
  }

  async #begin(): Promise<void> {
    const turn = this.#turn;
    let head: string | null = null;
    try {
      head = await this.#surroundings.headPosition();
    } catch (error) {
      if (turn !== this.#turn) return;
      if (isPassing(error)) return this.#later(0, () => this.#begin());
      // Who may not even ask that is told why by the subscription itself.
    }
    if (turn === this.#turn && this.#link) this.#subscribe(this.#link, head);
  }

  /** What is told from now on begins where the state is as of, or before: nothing is missed between the two. */
  async #resync(): Promise<void> {
    const turn = this.#turn;
    let head: string;
    try {
      head = await this.#surroundings.headPosition();
    } catch {
      if (turn === this.#turn) this.#later(0, () => this.#resync());
      return;
    }
    if (turn !== this.#turn || this.#isOver) return;
    this.#moveTo(head);
    this.#listener.resync();
    this.#again();
  }

  #again(): void {
    if (this.#link && !this.#isOver) this.#subscribe(this.#link);
  }

  /** Not before `ms`, and longer the more often in a row. */
  #later(ms: number, then: () => void): void {
    const { pace } = this.#surroundings;
    const pauseMs = this.#setbacks === 0 ? 0 : backoff(pace, this.#setbacks - 1, Math.random());
    this.#setbacks += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, Math.max(ms, pauseMs));
  }

  #finish(tell: () => void): void {
    this.#isOver = true;
    this.detach();
    this.#surroundings.ended();
    tell();
  }
}
