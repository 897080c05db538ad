import type { Closure } from '../closure.ts';
import { failure } from '../errors.ts';
import type { Answer, Link, LinkEvents, LinkSink } from '../link.ts';
import type { Payload } from '../operation.ts';
import type { RealtimeTransport } from '../types.ts';
import type { Said, Wish, Word } from './messages.ts';

/** Often enough for a leader that bounds what is not taken. */
const takenEvery = 500;

export interface RelayOptions {
  /** Of the follower and its leader alone. */
  readonly channel: string;
  readonly desk: string;
  readonly events: RelayEvents;
  readonly patience: RelayPatience;
}

export interface RelayEvents extends LinkEvents {
  /** The leader does not answer. */
  silent(): void;
}

/** In milliseconds. */
export interface RelayPatience {
  /** Until a leader's connection is made, or given up. */
  readonly openWithinMs: number;
  /** Of quiet, then the leader is asked whether it is there. */
  readonly pingAfterMs: number;
  readonly pongWithinMs: number;
}

interface Asked {
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** A link that hands everything to the tab that leads. */
export class Relay implements Link {
  readonly desk: string;
  readonly renews = false;
  transport: RealtimeTransport = 'ws';
  execute: Link['execute'] = null;
  isOpen = false;
  readonly #channel: BroadcastChannel;
  readonly #events: RelayEvents;
  readonly #patience: RelayPatience;
  readonly #sinks = new Map<number, LinkSink>();
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;
  #untaken = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ channel, desk, events, patience }: RelayOptions) {
    this.desk = desk;
    this.#events = events;
    this.#patience = patience;
    this.#channel = new BroadcastChannel(channel);
    this.#channel.onmessage = ({ data }: MessageEvent<Said<Word>>) => {
      if (data.desk === desk) this.#hear(data);
    };
  }

  subscribe(payload: Payload, sink: LinkSink): () => void {
    const id = ++this.#lastId;
    let text: string;
    try {
      text = JSON.stringify(payload);
    } catch (error) {
      sink.error(failure('BAD_USER_INPUT', String(error)).errors);
      return () => {};
    }
    this.#sinks.set(id, sink);
    this.#say({ type: 'subscribe', id, payload: text });
    return () => {
      if (this.#sinks.delete(id)) this.#say({ type: 'leave', id });
    };
  }

  check(): void {
    this.#say({ type: 'check' });
    this.#awaitWord();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#channel.close();
    this.isOpen = false;
    this.#sinks.clear();
    for (const { reject } of this.#asked.values()) reject(gone());
    this.#asked.clear();
  }

  #execute(payload: Payload, signal?: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) return reject(gone());
      const id = ++this.#lastId;
      const abort = () => {
        this.#asked.delete(id);
        this.#say({ type: 'leave', id });
        reject(signal?.reason);
      };
      const settled = () => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort);
      this.#asked.set(id, {
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#say({ type: 'execute', id, payload: JSON.stringify(payload), at: Date.now() });
    });
  }

  #say(wish: Wish): void {
    if (this.isOpen) this.#channel.postMessage({ ...wish, desk: this.desk } satisfies Said<Wish>);
  }

  #hear(word: Word): void {
    this.#listen();
    this.#untaken += 1;
    if (this.#untaken % takenEvery === 0) this.#say({ type: 'taken' });
    switch (word.type) {
      case 'opened':
        this.isOpen = true;
        this.transport = word.transport;
        this.execute = word.executes ? (payload, signal) => this.#execute(payload, signal) : null;
        // Its connection has been open for a while: where the journal is now, nobody has said.
        this.#events.opened({ connectionId: word.connectionId, position: null });
        break;
      case 'next':
        this.#sinks.get(word.id)?.next(word.answer);
        break;
      case 'error':
        this.#end(word.id, (sink) => sink.error(word.errors));
        break;
      case 'complete':
        this.#end(word.id, (sink) => sink.complete());
        break;
      case 'answer':
        this.#settle(word.id, ({ resolve }) => resolve(word.answer));
        break;
      case 'lost':
        this.#settle(word.id, ({ reject }) => reject(lost(word.reason)));
        break;
      case 'latency':
        this.#events.latency(word.milliseconds);
        break;
      case 'closed':
        this.#closed(word.closure);
    }
  }

  #end(id: number, tell: (sink: LinkSink) => void): void {
    const sink = this.#sinks.get(id);
    this.#sinks.delete(id);
    if (sink) tell(sink);
  }

  #settle(id: number, how: (asked: Asked) => void): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (asked) how(asked);
  }

  #closed(closure: Closure): void {
    this.close();
    this.#events.closed(closure);
  }

  /** Whatever the leader says shows that it is there. */
  #listen(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#say({ type: 'ping' });
      this.#awaitWord();
    }, this.#patience.pingAfterMs);
  }

  #awaitWord(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#events.silent(), this.#patience.pongWithinMs);
  }
}

/** There will be no answer. */
const lost = (reason: string) => failure('NETWORK_ERROR', `It may have been done: ${reason}.`);
const gone = () => lost('the tab with the connection is gone');
