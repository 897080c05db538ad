import type { OpenLink } from './attempt.ts';
import type { Pace } from './backoff.ts';
import { Connector } from './connector.ts';
import { failure, OperationError } from './errors.ts';
import { Executor } from './executor.ts';
import type { Endpoint } from './http.ts';
import type { Answer } from './link.ts';
import { type Payload, payloadOf, positionQuery, typeOf } from './operation.ts';
import { watchPage } from './page.ts';
import { memoryPositions, Positions } from './positions.ts';
import { Queue } from './queue.ts';
import { Subscription } from './subscription.ts';
import type { Connection, RealtimeClient, RealtimeClientOptions, Request, Sink } from './types.ts';
import { openSocket } from './websocket.ts';

const pacing = { firstMs: 1_000, longestMs: 30_000 };
const patience = { openWithinMs: 10_000, pingAfterMs: 10_000, pongWithinMs: 5_000, silenceMs: 40_000 };
const machineTimes = { lingerMs: 5_000, settledMs: 10_000, upgradeMs: 60_000 };
export function createRealtimeClient(options: RealtimeClientOptions): RealtimeClient {
  return new Client(options);
}

class Client implements RealtimeClient {
  readonly #options: RealtimeClientOptions;
  readonly #pace: Pace;
  readonly #connector: Connector;
  readonly #executor: Executor;
  readonly #queue: Queue;
  readonly #positions: Positions;
  readonly #listeners = new Set<() => void>();
  readonly #subscriptions = new Set<Subscription>();
  /** The head of the journal, not asked for yet: one answer is for all that begin at once. */
  #head: Promise<string> | null = null;
  #wants = 0;
  readonly #ending = new AbortController();
  readonly #leavePage: () => void;

  constructor(options: RealtimeClientOptions) {
    this.#options = options;
    const address = new URL(options.url, globalThis.location?.href);
    // Not a method: a browser's own fetch wants to be called without an owner.
    const request = options.fetch ?? globalThis.fetch;
    const endpoint: Endpoint = { url: address.href, fetch: (...parameters) => request(...parameters) };
    this.#pace = { ...pacing, ...options.retry };
    this.#positions = new Positions(options.storage ?? memoryPositions());
    this.#queue = new Queue({
      send: (payload) => this.#answer(payload, 'mutation'),
      pace: this.#pace,
      refused: ({ query, variables = {} }, error) =>
        guarded(() => options.onRefused?.({ request: { document: query, variables }, error })),
      ...(options.storage
        ? {
            openShelf: async (found) => {
              const { openShelf } = await import('./shelf.ts');
              const { signal } = this.#ending;
              return openShelf({ storage: this.#positions, owner: address.href, signal, found });
            },
          }
        : {}),
    });
    const transport = options.transport ?? 'auto';
    const openLink: OpenLink = async (transport, token, events) => {
      if (transport === 'sse') {
        // Most never need it, so it is not part of what everybody loads.
        const { openStreams } = await import('./sse.ts');
        return openStreams({ endpoint, token, events, patience });
      }
      const webSocketImpl = (options.webSocketImpl ?? globalThis.WebSocket) as typeof WebSocket;
      const url = address.href.replace(/^http/, 'ws');
      return openSocket({ url, token, events, patience, webSocketImpl });
    };
    this.#connector = new Connector({
      settings: { ...machineTimes, pace: this.#pace, transport },
      getToken: () => this.#token(),
      openLink: options.share ? shared(openLink, [address.href, transport]) : openLink,
      opened: (link, { position }) => {
        for (const subscription of this.#subscriptions) subscription.attach(link, position);
        this.#queue.hurry();
      },
      lost: () => {
        for (const subscription of this.#subscriptions) subscription.detach();
      },
      changed: () => {
        for (const listener of [...this.#listeners]) listener();
      },
    });
    this.#executor = new Executor({
      endpoint,
      getToken: () => this.#token(),
      link: () => this.#connector.link,
      untilSent: (withinMs) => this.#untilSent(withinMs),
    });
    this.#leavePage = watchPage({
      awake: () => {
        this.#connector.tell({ type: 'awake' });
        this.#queue.hurry();
      },
      offline: () => this.#connector.tell({ type: 'offline', now: Date.now() }),
    });
  }

  get connection(): Connection {
    return this.#connector.connection;
  }

  onConnection(listener: () => void): () => void {
    // Of its own: the same function may be given twice.
    const tell = () => listener();
    this.#listeners.add(tell);
    return () => void this.#listeners.delete(tell);
  }

  async execute<Data, Variables>(
    request: Request<Data, Variables>,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Data> {
    const payload = payloadOf(request);
    const type = typeOf(payload);
    if (type === 'subscription') throw failure('BAD_USER_INPUT', 'A subscription is for `subscribe`.');
    return dataOf(await this.#answer(payload, type, signal));
  }

  async enqueue<Data, Variables>(request: Request<Data, Variables>): Promise<Data> {
    return dataOf(await this.#queue.add(payloadOf(request)));
  }

  subscribe<Data, Variables>(
    request: Request<Data, Variables>,
    sink: Sink<Data>,
    { key, after }: { readonly key?: string; readonly after?: string } = {},
  ): () => void {
    let isOver = this.#ending.signal.aborted;
    if (isOver) return () => {};
    let subscription: Subscription | null = null;
    const end = () => {
      if (isOver) return;
      isOver = true;
      if (subscription) this.#subscriptions.delete(subscription);
      subscription?.end();
      this.#unwant();
    };
    const begin = (position: string | null, isFromStorage: boolean) => {
      if (isOver) return;
      const begun = new Subscription(
        payloadOf(request),
        { given: position, isFromStorage },
        {
          next: (result) => guarded(() => sink.next(result as Parameters<typeof sink.next>[0])),
          resync: () => {
            guarded(() => sink.resync?.());
            guarded(() => this.#options.onResync?.({ key, request: request as Request<unknown, unknown> }));
          },
          error: (error) => guarded(() => sink.error?.(error)),
          complete: () => guarded(() => sink.complete?.()),
        },
        {
          pace: this.#pace,
          headPosition: () => this.#headPosition(),
          keep: (kept) => {
            if (key !== undefined) this.#positions.set(key, kept);
          },
          ended: end,
        },
      );
      subscription = begun;
      this.#subscriptions.add(begun);
      const { link } = this.#connector;
      if (link) begun.attach(link, null);
    };
    if (key === undefined || after !== undefined) begin(after ?? null, false);
    else void this.#positions.get(key).then((kept) => begin(kept, kept !== null));
    if (++this.#wants === 1) this.#connector.tell({ type: 'want' });
    return end;
  }

  reconnect(): void {
    this.#connector.tell({ type: 'reconnect' });
    this.#queue.hurry();
  }

  dispose(): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#leavePage();
    for (const subscription of this.#subscriptions) subscription.end();
    this.#subscriptions.clear();
    this.#queue.dispose();
    this.#connector.tell({ type: 'dispose' });
  }

  #unwant(): void {
    if (--this.#wants === 0) this.#connector.tell({ type: 'unwant' });
  }

  #headPosition(): Promise<string> {
    this.#head ??= Promise.resolve().then(async () => {
      this.#head = null;
      return dataOf<{ position: string }>(await this.#answer(positionQuery, 'query')).position;
    });
    return this.#head;
  }

  async #token(): Promise<string | null> {
    const { token = null } = this.#options;
    return typeof token === 'function' ? await token() : token;
  }

  async #answer(payload: Payload, type: 'query' | 'mutation', signal?: AbortSignal): Promise<Answer> {
    if (this.#ending.signal.aborted) throw failure('NETWORK_ERROR', 'The client has been disposed of.');
    return this.#executor.answer(payload, type, signal);
  }

  /** Until what has been subscribed to is on its way, or is waiting for a connection that is not being made. */
  async #untilSent(withinMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    await Promise.race([tooLong, this.#settled().then(() => this.#sent())]);
    clearTimeout(timer);
  }

  /** At once where no connection is being made. */
  async #settled(): Promise<void> {
    if (this.connection.status !== 'connecting') return;
    await new Promise<void>((resolve) => {
      const stop = this.onConnection(() => {
        if (this.connection.status === 'connecting') return;
        stop();
        resolve();
      });
    });
  }

  async #sent(): Promise<void> {
    await Promise.all([...this.#subscriptions].map(({ sending }) => sending));
  }
}

/** Loaded with the first link, as it is for those alone who want it. */
function shared(openLink: OpenLink, terms: readonly string[]): OpenLink {
  let open: OpenLink | null = null;
  return async (...parameters) => {
    const { sharing } = await import('./sharing/sharing.ts');
    open ??= sharing({ openLink, terms, patience });
    return open(...parameters);
  };
}

function dataOf<Data>({ data, errors }: Answer): Data {
  if (errors) throw new OperationError(errors, data ?? null);
  return data as Data;
}

/** A listener that throws is reported as such, and holds nobody up. */
function guarded(tell: () => void): void {
  try {
    tell();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
