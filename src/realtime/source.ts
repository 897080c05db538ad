import type { JournalEvent, Whisper } from './event.ts';

/** What a subscription follows: said by the domain, followed by a subscriber. */
export interface SourceOptions {
  /** Continue behind this position; null: from now on. */
  readonly after: number | null;
  /** Whoever may follow it is shown the same events: `wants` looks at the event alone, and nothing turns. */
  readonly isCommon?: boolean;
  /** The topics as they stand for the viewer at a position. Asked at the start and after each turn. */
  topics(position: number): Promise<readonly string[]>;
  /** Is it delivered? Events of a topic that are for other subscriptions are not. */
  wants(event: JournalEvent): boolean;
  /** Does it take the viewer's right away? Then the subscription ends, and nothing later is delivered. */
  revokes?(event: JournalEvent): boolean;
  /** Can it not be continued across? Then the subscription ends, and whoever follows it begins anew. */
  expires?(event: JournalEvent): boolean;
  /** Does it change the topics? `isPast`: it was committed before the subscription began, which took it into account. */
  turns?(event: JournalEvent, isPast: boolean): boolean;
  /** Is what is told in passing delivered? By default none is. */
  hears?(whisper: Whisper): boolean;
  /** What is executed of a wanted event; by default the event itself. */
  shows?(event: JournalEvent): unknown;
  /** What `wants` and `shows` depend on beside the document and its variables. */
  readonly version?: string;
  /** A topic of whispers alone, beside the others. */
  readonly ownTopic?: string;
  /** Names of what it is about, for operators: nothing is decided by them. */
  readonly about?: readonly string[];
}

/**
 * The answer of a `subscribe` resolver. It has the shape of an async iterable since graphql-js asks for one,
 * but it is never iterated: the transport hands it to a group.
 */
export class Source {
  readonly options: SourceOptions;

  constructor(options: SourceOptions) {
    this.options = options;
  }

  [Symbol.asyncIterator](): AsyncIterator<never> {
    throw new Error('A source is followed by a subscriber, not iterated.');
  }
}
