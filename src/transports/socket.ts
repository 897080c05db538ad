import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { v7 as uuid } from 'uuid';
import type { WebSocket } from 'ws';
import type { Authenticate, Authenticated } from '../auth/authenticate.ts';
import { createRefresh, type Refresh } from '../auth/refresh.ts';
import type { ErrorCode } from '../errors.ts';
import { setAlarm } from '../lib/alarm.ts';
import { type Effort, effortless } from '../limits/effort.ts';
import type { Guard } from '../limits/guard.ts';
import type { Pace } from '../limits/pace.ts';
import type { Leave } from '../limits/places.ts';
import type { Portion } from '../limits/portion.ts';
import type { Log } from '../observability/log.ts';
import type { Subscriber } from '../realtime/subscriber.ts';
import type { ClientAddressOf } from './address.ts';
import { Awaited } from './awaited.ts';
import { Closing, refusedByProtocol, shortened } from './closing.ts';
import type { Connection, Connections } from './connections.ts';
import { answerToExcess } from './excessive.ts';
import { corkForThisTurn, frameHead } from './frame.ts';
import { Intake } from './intake.ts';
import type { Present } from './operation.ts';
import { Progress } from './progress.ts';
import { urlOf } from './url.ts';

/** A ping is sent this often, and who has neither answered by the next one nor read on is gone. */
const keepAliveMs = 12_000;
/** A client may say so much before it is known who it is, of which a token is the most. */
const mostBytesBeforeInit = 20_480;

/** A subscription, as its socket knows it. */
export interface Leaving {
  /** Of one event, in points. */
  readonly cost: number;
  /** Of what was asked. */
  readonly characters: number;
  /** Once it is attached. */
  readonly subscriber?: Subscriber | undefined;
  leave(): void;
  replace(): void;
  /** Whether its rights may rest on roles that the viewer no longer has. */
  isBeyond(viewer: Authenticated): boolean;
  reopen(viewer: Authenticated): void;
}

/** One socket. */
export class Client implements Connection {
  readonly transport = 'websocket';
  readonly id = uuid();
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  readonly urlToken: string | null;
  readonly protocol: string;
  readonly pace: Pace;
  /** Of its viewer, once that is known. */
  effort: Effort = effortless;
  viewer: Authenticated | null = null;
  readonly refresh: Refresh;
  /** The subscriptions, by id: also those that are not attached yet. */
  readonly streams = new Map<string, Leaving>();
  /** Resolves when every subscription that was asked for so far is attached. */
  attached: Promise<unknown> = Promise.resolve();
  readonly answers = new Awaited();
  /** Closed by the server, and not by who is at the other end. */
  isSentAway = false;
  readonly #socket: WebSocket;
  /** What the socket writes to. */
  readonly #wire: Socket;
  readonly #progress = new Progress();
  readonly #parts: ClientParts;
  readonly #keepAlive: NodeJS.Timeout;
  #isAlive = true;
  #cancelExpiry: (() => void) | undefined;
  #leavePlace: Leave = () => {};
  #isClosed = false;
  #isRefused = false;
  #bytesBeforeInit = 0;
  #drained: (() => void)[] = [];
  /** By the payloads that asked for them. */
  readonly #portions = new Map<object, Portion>();

  constructor(socket: WebSocket, request: IncomingMessage, wire: Socket, parts: ClientParts) {
    this.#socket = socket;
    this.#wire = wire;
    this.#parts = parts;
    this.refresh = createRefresh(this, parts.authenticate);
    this.protocol = socket.protocol;
    this.ipAddress = parts.clientAddressOf(request);
    this.userAgent = request.headers['user-agent'] ?? null;
    this.urlToken = urlOf(request)?.searchParams.get('token') ?? null;
    this.pace = parts.guard.pace();
    wire.on('data', this.#countBeforeInit);
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    this.#keepAlive = setInterval(() => this.#ping(), keepAliveMs);
  }

  /** Until one of the two sides closes it. */
  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get userId(): string | null {
    return this.viewer?.id ?? null;
  }

  get channels(): readonly string[] {
    return [...new Set(this.#subscribers.flatMap(({ source }) => source.about ?? []))];
  }

  get subscriptionCount(): number {
    return this.#subscribers.length;
  }

  get isSilent(): boolean {
    return !this.#isAlive;
  }

  get #subscribers(): Subscriber[] {
    return [...this.streams.values()].flatMap(({ subscriber }) => subscriber ?? []);
  }

  /** A subscription has been attached, or has left. */
  subscribed(): void {
    this.#parts.connections.subscribed(this);
  }

  /** Until the socket is closed, and not only while it is open: who waits for room waits for one of the two. */
  get isFull(): boolean {
    if (this.#socket.readyState === this.#socket.CLOSED) return false;
    return this.#socket.bufferedAmount > this.#parts.limits.sendBufferBytes;
  }

  get #roomAgain(): number {
    return this.#parts.limits.sendBufferBytes / 2;
  }

  signIn(viewer: Authenticated): void {
    // It may have been closed while the token was looked at.
    if (!this.isOpen) return;
    this.viewer = viewer;
    this.effort = this.#parts.guard.effortOf(viewer, this.ipAddress);
    this.#wire.off('data', this.#countBeforeInit);
    this.#cancelExpiry?.();
    this.#cancelExpiry = setAlarm(viewer.expiresAt, () => this.#close(Closing.TokenExpired));
  }

  /** By another token of the same viewer. What its roles no longer allow has ended when this resolves. */
  async renew(viewer: Authenticated): Promise<void> {
    this.signIn(viewer);
    const beyond = [...this.streams.values()].filter((stream) => stream.isBeyond(viewer));
    if (beyond.length === 0) return;
    for (const stream of beyond) stream.reopen(viewer);
    // Some are still being opened for the viewer as it was.
    await this.attached;
    for (const stream of beyond) stream.reopen(viewer);
  }

  /** The place that it takes up, instead of the one that it had; it is given back when it closes. */
  occupy(leave: Leave): void {
    this.#leavePlace();
    this.#leavePlace = leave;
    if (this.#isClosed) leave();
  }

  portionOf(payload: object): Portion {
    const portion = this.#parts.guard.portionOf(this.viewer, this.ipAddress);
    this.#portions.set(payload, portion);
    return portion;
  }

  /** The answer to what asked for it has been written. */
  taken(payload: object): void {
    this.#portions.get(payload)?.close();
    this.#portions.delete(payload);
  }

  /** Of the protocol. */
  send(text: string): Promise<void> {
    if (!this.isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      this.#socket.send(text, () => {
        this.#written();
        resolve();
      });
    });
  }

  /** Of the protocol. Nothing is delivered behind a closing frame, so the subscriptions end with it. */
  close(code?: number, reason?: string): void {
    const refused = refusedByProtocol[code ?? 0];
    if (refused) this.refused(refused);
    this.isSentAway = true;
    this.#socket.close(code, reason);
    this.#leave();
  }

  /** It is closed for this; told once. */
  refused(code: ErrorCode): void {
    if (!this.#isRefused) this.#parts.refused(code);
    this.#isRefused = true;
  }

  /** Of the protocol. */
  onMessage(tell: (text: string) => Promise<void>): void {
    const { guard, present, log } = this.#parts;
    new Intake(this.#socket, {
      pace: this.pace,
      effort: () => this.effort,
      isFull: () => this.isFull,
      drained: () => this.drained(),
      flooded: () => guard.flooded(this.viewer, this.ipAddress),
      handle: (json) => {
        const refusal = answerToExcess(json, present);
        if (refusal === 'close') return this.#close(Closing.BadMessage);
        if (refusal) return void this.send(refusal.error);
        this.effort.read(json.length);
        tell(json.toString()).catch((error) => {
          if (isOfServers(error)) return this.#close(Closing.BadMessage);
          log.error({ err: error }, 'a message could not be handled');
          this.#close(Closing.Internal);
        });
      },
    });
  }

  /** One frame, without waiting; `isFull` tells when to stop. The rest may be shared with others. */
  write(start: Buffer, rest: Buffer): void {
    if (!this.isOpen) return;
    corkForThisTurn(this.#wire);
    this.#wire.write(frameHead(start, rest.length));
    // Whoever waits for room waits for one of those beyond half of it.
    const mayBeWaitedFor = this.#wire.writableLength + rest.length > this.#roomAgain;
    this.#wire.write(rest, mayBeWaitedFor ? this.#written : undefined);
    this.#parts.written(this.transport);
  }

  drained(): Promise<void> {
    if (!this.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** The answer says that it is attached, or never will be. */
  expectAttached(): () => void {
    let done = () => {};
    const attached = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.attached = Promise.all([this.attached, attached]).then(() => {});
    return done;
  }

  async drain(): Promise<void> {
    await this.answers.done();
    // What was answered goes out before the closing frame.
    await new Promise((resolve) => setImmediate(resolve));
    this.#close(Closing.Draining);
  }

  end(closing: Closing): void {
    this.#close(closing);
  }

  destroy(): void {
    this.#socket.terminate();
  }

  closed(): void {
    this.#isClosed = true;
    this.#leavePlace();
    clearInterval(this.#keepAlive);
    this.#cancelExpiry?.();
    this.#release();
    this.#leave();
    for (const payload of this.#portions.keys()) this.taken(payload);
  }

  #leave(): void {
    for (const stream of this.streams.values()) stream.leave();
  }

  readonly #countBeforeInit = (data: Buffer) => {
    this.#bytesBeforeInit += data.length;
    if (this.#bytesBeforeInit <= mostBytesBeforeInit) return;
    this.#wire.off('data', this.#countBeforeInit);
    this.refused('LIMIT_EXCEEDED');
    this.#close(Closing.TooLarge);
  };

  readonly #written = () => {
    if (this.#drained.length > 0 && this.#socket.bufferedAmount <= this.#roomAgain) this.#release();
  };

  #release(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  #ping(): void {
    // A pong may wait behind a lot that is still to be read.
    const isReading = this.#progress.since(this.#wire) === 'reading';
    if (this.#isAlive || isReading) this.#socket.ping();
    else this.#socket.terminate();
    this.#isAlive = false;
  }

  #close({ code, reason }: Closing): void {
    this.close(code, shortened(reason));
  }
}

/** graphql-ws throws what a client says that only servers say, and closes all else that is no message by itself. */
const isOfServers = (error: unknown) =>
  error instanceof Error && error.message.startsWith('Unexpected message of type');

interface ClientParts {
  readonly present: Present;
  readonly authenticate: Authenticate;
  readonly clientAddressOf: ClientAddressOf;
  readonly connections: Pick<Connections, 'subscribed'>;
  readonly log: Log;
  readonly limits: { readonly sendBufferBytes: number };
  readonly guard: Pick<Guard, 'pace' | 'flooded' | 'effortOf' | 'portionOf'>;
  /** Something was refused by closing. */
  refused(code: ErrorCode): void;
  /** A payload has been written. */
  written(transport: string): void;
}
