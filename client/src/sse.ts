import { createClient } from 'graphql-sse';
import { type Closure, closureOfStatus, messageOf, unreachable } from './closure.ts';
import { OperationError } from './errors.ts';
import { bearer, type Endpoint, errorsOf, post, retryAfterOf } from './http.ts';
import type { Answer, Link, LinkEvents, LinkSink } from './link.ts';
import { type Payload, positionQuery } from './operation.ts';
import type { GraphQLFailure } from './types.ts';

export interface StreamsOptions {
  readonly endpoint: Endpoint;
  readonly token: string | null;
  readonly events: LinkEvents;
  readonly patience: StreamPatience;
}

/** In milliseconds. */
export interface StreamPatience {
  readonly openWithinMs: number;
  /** The server says something on each stream every 15 seconds. */
  readonly silenceMs: number;
}

/**
 * Server-Sent Events, by graphql-sse: each subscription is a request of its own. What they have in common is that
 * they are made and given up together, so that coming back is one thing, as with a socket.
 */
export function openStreams({ endpoint, token, events, patience }: StreamsOptions): Link {
  const closing = new AbortController();
  let isOver = false;
  let wasLetIn = false;
  void ask(events.opened);
  return {
    transport: 'sse',
    renews: false,
    subscribe,
    execute: null,
    check: () => void ask(),
    close: () => void end(),
  };

  function end(): boolean {
    if (isOver) return false;
    isOver = true;
    closing.abort();
    return true;
  }

  function closed(closure: Closure): void {
    if (end()) events.closed(closure);
  }

  /** The head of the journal: from there on nothing is missed. It also shows whether anybody is there. */
  async function ask(opened?: LinkEvents['opened']): Promise<void> {
    const askedAt = performance.now();
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(patience.openWithinMs)]);
    try {
      const { answer, status } = await post(endpoint, token, positionQuery, signal);
      if (isOver) return;
      const { position } = (answer.data ?? {}) as { position?: string };
      if (position === undefined) return closed(closureOfAnswer(status, answer, wasLetIn));
      opened?.({ connectionId: null, position });
      events.latency(performance.now() - askedAt);
    } catch (error) {
      closed(unreachable(error));
    }
  }

  function subscribe(payload: Payload, sink: LinkSink): () => void {
    const leaving = new AbortController();
    const isDeaf = () => isOver || leaving.signal.aborted;
    let refused: readonly GraphQLFailure[] | null = null;
    let isComplete = false;
    let silence: ReturnType<typeof setTimeout> | undefined;
    const client = createClient({
      url: endpoint.url,
      headers: bearer(token),
      retryAttempts: 0,
      fetchFn: fetchStream,
    });
    const leave = client.subscribe(payload, {
      next: (answer) => {
        if (isDeaf()) return;
        if (isTokenGone(answer as Answer)) closed(tokenGone);
        else sink.next(answer as Answer);
      },
      error: (error) => {
        finish();
        if (isDeaf()) return;
        if (refused) sink.error(refused);
        else closed({ code: 'NETWORK_ERROR', reason: messageOf(error), kind: 'lost' });
      },
      complete: () => {
        finish();
        if (!isDeaf()) sink.complete();
      },
    });
    closing.signal.addEventListener('abort', leaveNow);
    return leaveNow;

    function leaveNow(): void {
      leaving.abort();
      finish();
      leave();
    }

    function finish(): void {
      isComplete = true;
      clearTimeout(silence);
      closing.signal.removeEventListener('abort', leaveNow);
    }

    /** Notices what graphql-sse does not: what a refusal says, silence, and an end right behind an event. */
    async function fetchStream(url: string, init: RequestInit): Promise<Response> {
      const response = await endpoint.fetch(url, init);
      if (!response.ok) {
        refused = response.status === 401 ? null : await errorsOf(response);
        if (!refused) closed(closureOfStatus(response.status, wasLetIn, retryAfterOf(response)));
        return new Response(null, { status: response.status });
      }
      if (isDeaf() || !response.body) return response;
      wasLetIn = true;
      listenAgain();
      const heard = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          listenAgain();
          controller.enqueue(chunk);
        },
        flush() {
          // It has what came before by then, its completion as well.
          setTimeout(() => {
            if (!isComplete) closed({ code: 'NETWORK_ERROR', reason: 'the stream ended', kind: 'lost' });
          });
        },
      });
      return new Response(response.body.pipeThrough(heard), { status: 200, headers: response.headers });
    }

    function listenAgain(): void {
      clearTimeout(silence);
      if (isComplete) return;
      const reason = 'the server has fallen silent';
      silence = setTimeout(() => closed({ code: 'NETWORK_ERROR', reason, kind: 'lost' }), patience.silenceMs);
    }
  }
}

const tokenGone: Closure = { code: 'UNAUTHENTICATED', reason: 'token expired', kind: 'lost' };

function isTokenGone({ data, errors }: Answer): boolean {
  return (data ?? null) === null && errors?.[0]?.extensions?.code === tokenGone.code;
}

/** Of a question that anybody may ask. */
function closureOfAnswer(status: number, { errors = [] }: Answer, wasLetIn: boolean): Closure {
  const { code, retryAfterMs, message } = new OperationError(errors);
  if (code === 'UNAUTHENTICATED') return closureOfStatus(401, wasLetIn);
  if (status >= 400) return closureOfStatus(status, wasLetIn, retryAfterMs ?? undefined);
  return { code, reason: message, kind: 'lost', ...(retryAfterMs === null ? {} : { retryAfterMs }) };
}
