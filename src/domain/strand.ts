import { Refusal, rightTakenAway } from '../errors.ts';
import type { JournalEvent, Whisper } from '../realtime/event.ts';
import type { SourceOptions } from '../realtime/source.ts';
import { modelTopic } from './topics.ts';

/** What is to be known of the stream itself: a part of it has ended, or has to be looked at anew. */
export type Notice =
  | {
      readonly type: 'revoked';
      readonly channel?: string;
      readonly model?: string;
      readonly refusal: Refusal;
    }
  | { readonly type: 'position_expired'; readonly model: string };

/** One of the things that a stream tells of: what would be a subscription of its own. */
export interface Strand {
  readonly topics: ReadonlySet<string>;
  wants(event: JournalEvent): boolean;
  hears?(whisper: Whisper): boolean;
  /** Has it to be settled anew? `isPast`: what is committed before it begins is known to it. */
  isTouchedBy(event: JournalEvent, isPast: boolean): boolean;
  /**
   * Asks for its topics as of a position, because of an event where there is one, which may lie ahead. Answers what
   * is to be told of it.
   * @throws what refuses it, when it begins
   */
  settle(position: number, touchedAt: number | null): Promise<Notice | null>;
}

/** What the viewer is always told, of topics that may change. */
export class LastingStrand implements Strand {
  topics: ReadonlySet<string> = new Set();
  readonly #source: SourceOptions;

  constructor(source: SourceOptions) {
    this.#source = source;
  }

  wants(event: JournalEvent): boolean {
    return this.topics.has(event.topic) && this.#source.wants(event);
  }

  hears(whisper: Whisper): boolean {
    const isFollowed = this.topics.has(whisper.topic) || whisper.topic === this.#source.ownTopic;
    return isFollowed && (this.#source.hears?.(whisper) ?? false);
  }

  isTouchedBy(event: JournalEvent, isPast: boolean): boolean {
    return this.#source.turns?.(event, isPast) ?? false;
  }

  async settle(position: number): Promise<null> {
    this.topics = new Set(await this.#source.topics(position));
    return null;
  }
}

/** How long what was committed before a loss of rights may still be told. The promise is one second. */
const graceMs = 500;

/** The messages of a channel, until the viewer may no longer read it. */
export class ChannelStrand implements Strand {
  topics: ReadonlySet<string> = new Set();
  readonly #channel: string;
  readonly #source: SourceOptions;
  /** When it falls silent, wherever the stream is by then. */
  #until = Number.POSITIVE_INFINITY;

  constructor(channel: string, source: SourceOptions) {
    this.#channel = channel;
    this.#source = source;
  }

  wants(event: JournalEvent): boolean {
    return this.topics.has(event.topic) && this.#source.wants(event) && performance.now() < this.#until;
  }

  isTouchedBy(event: JournalEvent): boolean {
    if (!this.#source.revokes?.(event)) return false;
    this.#until = Math.min(this.#until, performance.now() + graceMs);
    return true;
  }

  async settle(position: number, touchedAt: number | null): Promise<Notice | null> {
    if (touchedAt !== null) {
      // What lies ahead is told when it is met.
      return touchedAt <= position
        ? { type: 'revoked', channel: this.#channel, refusal: rightTakenAway() }
        : null;
    }
    try {
      this.topics = new Set(await this.#source.topics(position));
      return null;
    } catch (error) {
      if (this.topics.size === 0 || !isFinal(error)) throw error;
      return { type: 'revoked', channel: this.#channel, refusal: error };
    }
  }
}

/**
 * The changes of a model. Across what nothing continues across it begins anew, and until then it is silent: what
 * lies before was told by another definition.
 */
export class ModelStrand implements Strand {
  topics: ReadonlySet<string> = new Set();
  readonly #model: string;
  readonly #after: number | null;
  readonly #follow: (after: number | null) => Promise<SourceOptions>;
  #source: SourceOptions | null = null;
  #hasBegun = false;

  /** `follow` behind a position, or from now on. */
  constructor(model: string, after: number | null, follow: (after: number | null) => Promise<SourceOptions>) {
    this.#model = model;
    this.#after = after;
    this.#follow = follow;
  }

  wants(event: JournalEvent): boolean {
    return this.topics.has(event.topic) && (this.#source?.wants(event) ?? false);
  }

  isTouchedBy(event: JournalEvent, isPast: boolean): boolean {
    const isReset = event.control && event.topic === modelTopic(this.#model);
    if (this.#source === null) return isReset;
    if (isPast) return false;
    return event.kind === 'model' ? isReset : (this.#source.expires?.(event) ?? false);
  }

  async settle(position: number, touchedAt: number | null): Promise<Notice | null> {
    try {
      const isFromNow = !this.#hasBegun && this.#after === null;
      const source = await this.#follow(isFromNow ? null : position);
      this.topics = new Set(await source.topics(position));
      this.#source = source;
    } catch (error) {
      if (!isFinal(error)) throw error;
      if (error.code !== 'POSITION_EXPIRED') {
        if (!this.#hasBegun) throw error;
        return { type: 'revoked', model: this.#model, refusal: error };
      }
      // It will be met.
      this.topics = new Set([modelTopic(this.#model)]);
      this.#source = null;
    }
    this.#hasBegun = true;
    // What lies ahead is told when it is met.
    const isMet = touchedAt !== null && touchedAt <= position;
    return isMet && this.#source ? { type: 'position_expired', model: this.#model } : null;
  }
}

/** Asking again would not help. */
const isFinal = (error: unknown): error is Refusal =>
  error instanceof Refusal && error.code !== 'UNAVAILABLE';
