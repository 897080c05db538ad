/** A fact in a topic, as the journal holds it. One event has one position, however many topics it is in. */
export interface JournalEvent {
  /** Its place in the journal: positive, growing, without meaning of its own. */
  readonly position: number;
  readonly topic: string;
  /** The position of the topic's previous event, 0 for its first: what makes a hole visible. */
  readonly prev: number;
  /** UUIDv7, given when the event was written. */
  readonly id: string;
  /** Which family of subscriptions it is for, `message` for one. */
  readonly kind: string;
  readonly type: string;
  /** Whom the topic stands for, by the name that clients know. */
  readonly recipientId: string | null;
  /** What the event is about, so that a later event can take its content back. */
  readonly subject: string | null;
  /** True when it takes back the content of every earlier event about the same subject. */
  readonly erases: boolean;
  /** True when the event changes who may read what; such events are looked at as soon as they arrive. */
  readonly control: boolean;
  /** JSON: the state as of the event. */
  readonly payload: unknown;
  /** The payload of the later event that has taken back the content of this one. */
  readonly erasedBy?: unknown;
  /** Where it comes from, as `traceparent` writes it; of an event that nobody traces, or that is replayed, none. */
  readonly trace?: string | null;
  /** When it was written, in milliseconds since 1970 by the database's clock. */
  readonly writtenAt: number;
}

/** What the relay says after each batch, and every second: the stretch of the journal it has published. */
export interface ControlMessage {
  /** Everything at or below was published before this stretch. */
  readonly from: number;
  readonly to: number;
  /** The last position of each topic in the stretch. */
  readonly topics: Readonly<Record<string, number>>;
}

/** What is told in passing: it is not stored, has no position, and only the newest of its key matters. */
export interface Whisper {
  readonly id: string;
  readonly topic: string;
  readonly kind: string;
  readonly type: string;
  /** Whom the topic stands for, by the name that clients know. */
  readonly recipientId: string | null;
  readonly payload: unknown;
  readonly writtenAt: number;
}

/** `earlier`, once `later` has taken its content back. */
export function erased(earlier: JournalEvent, later: JournalEvent): JournalEvent {
  return { ...earlier, erasedBy: later.payload };
}

/**
 * Of an event's id what it has in common with those that were written as one: events of one statement differ in
 * the last four digits.
 */
export const sourceOf = (id: string) => id.slice(0, 32);
