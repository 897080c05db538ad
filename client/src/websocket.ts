import { createClient, MessageType, stringifyMessage } from 'graphql-ws';
import { closureOfSocket } from './closure.ts';
import { failure } from './errors.ts';
import { type Answer, type Link, type LinkEvents, LinkLost, type LinkSink } from './link.ts';
import type { Payload } from './operation.ts';
import type { GraphQLFailure } from './types.ts';

export interface SocketOptions {
  /** `wss://…`. */
  readonly url: string;
  readonly token: string | null;
  readonly webSocketImpl: typeof WebSocket;
  readonly events: LinkEvents;
  readonly patience: Patience;
}

/** In milliseconds. */
export interface Patience {
  /** Until a connection is made and let in. */
  readonly openWithinMs: number;
  /** Of quiet, then the other side is asked whether it is there. */
  readonly pingAfterMs: number;
  readonly pongWithinMs: number;
}

/** One WebSocket, by graphql-ws; a new client each time, since when to come back is not for it to say. */
export function openSocket({ url, token, webSocketImpl, events, patience }: SocketOptions): Link {
  let socket: WebSocket | undefined;
  let isAcknowledged = false;
  let isOver = false;
  let pingedAt = 0;
  let pongTimer: ReturnType<typeof setTimeout> | undefined;
  const openTimer = setTimeout(() => client.terminate(), patience.openWithinMs);
  const lost = new Set<() => void>();

  /** To hold the socket from the beginning: graphql-ws shows it when it is open. */
  class KnownSocket extends webSocketImpl {
    constructor(address: string | URL, protocols?: string | string[]) {
      super(address, protocols);
      socket = this;
      // Closed before it was open, that of `ws` has an error to tell when nobody listens any more.
      this.addEventListener('error', () => {});
    }
  }

  const client = createClient({
    url,
    webSocketImpl: KnownSocket,
    connectionParams: token === null ? {} : { token },
    lazy: false,
    retryAttempts: 0,
    onNonLazyError: () => {},
    keepAlive: patience.pingAfterMs,
    on: {
      connected: (_socket, payload) => {
        if (isOver) return;
        clearTimeout(openTimer);
        isAcknowledged = true;
        const { connectionId, position } = (payload ?? {}) as Record<string, unknown>;
        events.opened({ connectionId: textOrNull(connectionId), position: textOrNull(position) });
        check();
      },
      ping: (isReceived) => {
        if (!isReceived) awaitPong();
      },
      pong: (isReceived) => {
        if (!isReceived || isOver) return;
        clearTimeout(pongTimer);
        if (pingedAt > 0) events.latency(performance.now() - pingedAt);
        pingedAt = 0;
      },
      closed: (event) => {
        const { code, reason } = event as CloseEvent;
        if (end()) events.closed(closureOfSocket(code, reason, isAcknowledged));
      },
    },
  });

  return { transport: 'ws', renews: true, subscribe, execute, check, close: () => void end() };

  /** True the first time. */
  function end(): boolean {
    if (isOver) return false;
    isOver = true;
    clearTimeout(openTimer);
    clearTimeout(pongTimer);
    // Says goodbye where there is somebody to say it to, and keeps graphql-ws from coming back by itself.
    Promise.resolve(client.dispose()).catch(() => {});
    if (!isAcknowledged) socket?.close();
    for (const tell of lost) tell();
    return true;
  }

  function check(): void {
    if (isOver || !isAcknowledged || pingedAt > 0) return;
    socket?.send(stringifyMessage({ type: MessageType.Ping }));
    awaitPong();
  }

  function awaitPong(): void {
    pingedAt = performance.now();
    clearTimeout(pongTimer);
    pongTimer = setTimeout(() => {
      client.terminate();
      cutOff();
    }, patience.pongWithinMs);
  }

  /** A browser forgets a socket that it has closed; that of `ws` would wait for an answer for half a minute. */
  function cutOff(): void {
    if (socket && 'terminate' in socket) (socket as unknown as { terminate(): void }).terminate();
  }

  function subscribe(payload: Payload, sink: LinkSink): () => void {
    let isLeft = false;
    const isDeaf = () => isOver || isLeft;
    const leave = client.subscribe(payload, {
      next: (answer) => {
        if (!isDeaf()) sink.next(answer as Answer);
      },
      error: (error) => {
        if (!isDeaf()) sink.error(errorsIn(error));
      },
      complete: () => {
        if (!isDeaf()) sink.complete();
      },
    });
    return () => {
      isLeft = true;
      if (!isOver) leave();
    };
  }

  function execute(payload: Payload, signal?: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        lost.delete(fail);
        signal?.removeEventListener('abort', abort);
      };
      const fail = () => {
        settle();
        reject(new LinkLost(`the socket closed before there was an answer`));
      };
      const abort = () => {
        settle();
        leave();
        reject(signal?.reason);
      };
      if (isOver) return fail();
      lost.add(fail);
      signal?.addEventListener('abort', abort);
      const leave = subscribe(payload, {
        next: (answer) => {
          settle();
          resolve(answer);
        },
        error: (errors) => {
          settle();
          resolve({ errors });
        },
        complete: () => {
          settle();
          reject(failure('NETWORK_ERROR', 'The operation ended without an answer.'));
        },
      });
    });
  }
}

const textOrNull = (value: unknown) => (typeof value === 'string' ? value : null);

/** What cannot even be sent is an error as well. */
function errorsIn(error: unknown): readonly GraphQLFailure[] {
  if (Array.isArray(error)) return error;
  return failure('BAD_USER_INPUT', error instanceof Error ? error.message : String(error)).errors;
}
