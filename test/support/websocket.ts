import WebSocket from 'ws';

/** A payload, an error frame or the completion of one operation. */
export type Frame =
  | { type: 'next'; payload: Payload }
  | { type: 'error'; payload: PayloadError[] }
  | { type: 'complete' };

export interface PayloadError {
  message: string;
  extensions: { code: string; retryAfterMs?: number; errorId?: string };
}

export interface Payload {
  data?: any;
  errors?: PayloadError[];
  extensions?: { position: string };
}

export interface OperationRequest {
  query: string;
  variables?: Record<string, unknown>;
  extensions?: Record<string, unknown>;
}

/** A client of `graphql-transport-ws` that misses nothing: what arrives before it is asked for waits. */
export class SocketClient {
  readonly socket: WebSocket;
  readonly acknowledged: Promise<{ connectionId: string; position: string }>;
  readonly closed: Promise<{ code: number; reason: string }>;
  #streams = new Map<string, Stream>();
  #count = 0;

  constructor(url: string, init: Record<string, unknown> | undefined, options: WebSocket.ClientOptions = {}) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws', options);
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        for (const stream of this.#streams.values()) stream.cut();
        resolve({ code, reason: String(reason) });
      });
    });
    this.socket.on('error', () => {});
    this.acknowledged = new Promise((resolve) => {
      this.socket.on('open', () => this.send({ type: 'connection_init', payload: init }));
      this.socket.on('message', (data) => {
        const message = JSON.parse(String(data));
        if (message.type === 'connection_ack') resolve(message.payload);
        else if (message.type === 'ping') this.send({ type: 'pong' });
        else this.#streams.get(message.id)?.push(message);
      });
    });
  }

  send(message: object): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Sends at once: the connection has to be acknowledged. */
  run(request: OperationRequest, id = String(++this.#count)): Stream {
    const stream = new Stream(() => {
      this.#streams.delete(id);
      this.send({ type: 'complete', id });
    });
    this.#streams.set(id, stream);
    this.send({ type: 'subscribe', id, payload: request });
    return stream;
  }

  /** Drops the connection without a word. */
  cut(): void {
    this.socket.terminate();
  }

  async close(): Promise<void> {
    this.socket.close(1000);
    await this.closed;
  }
}

/** Frames in the order of their arrival. */
export class Stream {
  #frames: Frame[] = [];
  #waiting: ((frame: Frame | null) => void)[] = [];
  #isCut = false;
  readonly #leave: () => void;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  push(frame: Frame): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(frame);
    else this.#frames.push(frame);
  }

  cut(): void {
    this.#isCut = true;
    for (const resolve of this.#waiting.splice(0)) resolve(null);
  }

  /** The next frame, null when the connection has ended. */
  frame(): Promise<Frame | null> {
    const frame = this.#frames.shift();
    if (frame) return Promise.resolve(frame);
    if (this.#isCut) return Promise.resolve(null);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next payload; fails on anything else. */
  async next(): Promise<Payload> {
    const frame = await this.frame();
    if (frame?.type !== 'next') throw new Error(`expected a payload, got ${JSON.stringify(frame)}`);
    return frame.payload;
  }

  async take(count: number): Promise<Payload[]> {
    const payloads: Payload[] = [];
    while (payloads.length < count) payloads.push(await this.next());
    return payloads;
  }

  /** What has arrived and has not been taken. */
  get waiting(): readonly Frame[] {
    return this.#frames;
  }

  /** Leaves the subscription. */
  leave(): void {
    this.#leave();
  }
}
