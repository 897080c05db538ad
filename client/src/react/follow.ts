import type { OperationError } from '../errors.ts';
import type { RealtimeClient, Request, Sink } from '../types.ts';
import { codeOf, isPassing, persist, rest, waitMs } from './patience.ts';

/** A stream that has gone on for so long counts as one that works. */
const steadyMs = 10_000;
/** So often a state is read anew in short order because its stream was refused. */
const mostRefusals = 3;

/** A state and what changes it. */
export interface Plan<State> {
  /** Reads the state as of a position or later, `position` first. */
  load(signal: AbortSignal): Promise<{ readonly position: string; readonly state: State }>;
  loaded(state: State): void;
  /** What changes the state, told behind its position. */
  readonly streams: readonly Stream[];
  /** It could not be read, and is tried again. */
  troubled(error: unknown): void;
  /** Refused for good: nothing is followed any more. */
  failed(error: unknown): void;
}

/** A subscription behind a position; answers how to leave it. */
export type Stream = (client: RealtimeClient, after: string, ends: Ends) => () => void;

interface Ends {
  /** What it tells is not enough: the state has to be read anew. */
  anew(): void;
  /** It has told so much that the state takes less room when it is read anew. */
  enough(): void;
  refused(error: OperationError): void;
}

type Told<Data> = Parameters<Sink<Data>['next']>[0];

/** A stream of whatever a request delivers. `told` answers false for what it cannot make sense of, or that it is enough. */
export function streamOf<Data, Variables>(
  request: Request<Data, Variables>,
  told: (result: Told<Data>) => boolean | 'enough',
): Stream {
  return (client, after, { anew, enough, refused }) =>
    client.subscribe(
      request,
      {
        next: (result) => {
          const answer = told(result);
          if (answer === 'enough') enough();
          else if (!answer) anew();
        },
        resync: anew,
        error: refused,
        complete: anew,
      },
      { after },
    );
}

/**
 * Follows a state without a gap: it is read together with a position, and its streams begin behind that. Where they
 * cannot be continued it is read anew. What the state shows already may be told once more. Answers how to stop.
 */
export function follow<State>(client: RealtimeClient, plan: Plan<State>): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  run().catch((error) => {
    if (!signal.aborted) plan.failed(error);
  });
  return () => controller.abort();

  async function run(): Promise<void> {
    const persistence = { client, signal, troubled: plan.troubled };
    for (let short = 0; ; ) {
      const { position, state } = await persist(() => plan.load(signal), persistence);
      signal.throwIfAborted();
      plan.loaded(state);
      const startedAt = performance.now();
      const end = await streamsEnd(position);
      const refusal = end === 'enough' ? undefined : end;
      const isSteady = end === 'enough' || performance.now() - startedAt >= steadyMs;
      if (refusal && !isWorthAnother(refusal, isSteady ? 0 : short)) throw refusal;
      if (refusal && isPassing(refusal)) plan.troubled(refusal);
      if (!isSteady && short > 0) await rest(client, signal, waitMs(short, refusal));
      short = isSteady ? 0 : short + 1;
    }
  }

  /** Answers when the state has to be read anew, or is refused. Rejects when it is left. */
  function streamsEnd(position: string): Promise<OperationError | 'enough' | undefined> {
    return new Promise((resolve, reject) => {
      const stops: (() => void)[] = [];
      let hasEnded = false;
      const end = (settle: () => void) => {
        if (hasEnded) return;
        hasEnded = true;
        signal.removeEventListener('abort', left);
        for (const stop of stops.splice(0)) stop();
        settle();
      };
      const left = () => end(() => reject(signal.reason));
      signal.addEventListener('abort', left);
      for (const stream of plan.streams) {
        const stop = stream(client, position, {
          anew: () => end(() => resolve(undefined)),
          enough: () => end(() => resolve('enough')),
          refused: (error) => end(() => resolve(error)),
        });
        // It may have ended before it could be put down.
        if (hasEnded) stop();
        else stops.push(stop);
        if (hasEnded) break;
      }
    });
  }
}

/** Who has left or lost a channel may still be allowed to read it, which reading it anew shows. */
const isWorthAnother = (refusal: OperationError, short: number) =>
  isPassing(refusal) || (codeOf(refusal) === 'FORBIDDEN' && short < mostRefusals);
