/** One step of what is traced. */
export interface Step {
  readonly name: string;
  /** @default 'internal' */
  readonly kind?: 'internal' | 'server' | 'producer' | 'consumer';
  /** The step that it is a part of; null: it is the first. */
  readonly parent: string | null;
  /** What it has to do with beside that. */
  readonly links?: readonly string[];
  readonly attributes?: Readonly<Record<string, string | number>>;
  /** What went wrong, by its code, where the answer of the work tells. */
  failure?(result: unknown): string | null;
}

/**
 * Follows single events from the mutation to the socket. A step is named by its `traceparent` (W3C Trace Context),
 * and an event carries that of the step before. Of an event that carries none nobody is asked.
 */
export interface Tracer {
  /** The step that is under way here; null where nobody traces it. */
  current(): string | null;
  /** Does the work as a step, and tells it the step's own name, null where it is not traced. */
  follow<Result>(step: Step, work: (trace: string | null) => Result): Result;
  /** A step that is over, begun at `from`, in milliseconds since 1970. Answers its name. */
  note(step: Step, from: number): string | null;
}

/** Traces nothing. */
export const untraced: Tracer = {
  current: () => null,
  follow: (_step, work) => work(null),
  note: ({ parent }) => parent,
};
