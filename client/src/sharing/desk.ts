import { type Closure, messageOf, moved } from '../closure.ts';
import type { Answer, Link } from '../link.ts';
import type { GraphQLFailure } from '../types.ts';
import { hold } from './hold.ts';
import type { Said, Wish, Word } from './messages.ts';

/** What a follower may have been told and not taken. */
const mostUntaken = 2_000;
/** Who asks for something gives up on a silent leader by then. */
const longestWaitMs = 15_000;

export interface DeskOptions {
  /** Of the tabs that share. */
  readonly circle: string;
  /** It is open. */
  readonly link: Link;
  readonly connectionId: string | null;
}

/** Where the tab that leads serves the others, for as long as its link is open. */
export class Desk {
  readonly id = crypto.randomUUID();
  readonly #options: DeskOptions;
  readonly #seats = new Map<string, Seat>();

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  admit(from: string): void {
    if (this.#seats.has(from)) return;
    const seat = new Seat(this.id, from, this.#options, () => this.#seats.delete(from));
    this.#seats.set(from, seat);
  }

  latency(milliseconds: number): void {
    for (const seat of this.#seats.values()) seat.say({ type: 'latency', milliseconds });
  }

  close(closure: Closure): void {
    for (const seat of [...this.#seats.values()]) seat.close(closure);
  }
}

/** One follower, and what it has open. */
class Seat {
  readonly #desk: string;
  readonly #link: Link;
  readonly #channel: BroadcastChannel;
  readonly #left: () => void;
  readonly #over = new AbortController();
  /** How to end each. */
  readonly #operations = new Map<number, () => void>();
  #untaken = 0;

  constructor(desk: string, from: string, { circle, link, connectionId }: DeskOptions, left: () => void) {
    this.#desk = desk;
    this.#link = link;
    this.#left = left;
    const name = `${circle} ${from}`;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: MessageEvent<Said<Wish>>) => {
      if (data.desk === desk) this.#hear(data);
    };
    // It is held by the follower: granted, it is gone.
    hold(name, {
      signal: this.#over.signal,
      granted: (held) => {
        held.leave();
        this.#leave();
      },
    });
    this.say({ type: 'opened', transport: link.transport, executes: link.execute !== null, connectionId });
  }

  say(word: Word): void {
    if (this.#over.signal.aborted) return;
    this.#untaken += 1;
    if (this.#untaken > mostUntaken) this.close(moved);
    else this.#post(word);
  }

  close(closure: Closure): void {
    this.#post({ type: 'closed', closure });
    this.#leave();
  }

  #post(word: Word): void {
    this.#channel.postMessage({ ...word, desk: this.#desk } satisfies Said<Word>);
  }

  #leave(): void {
    this.#over.abort();
    this.#channel.close();
    this.#left();
    for (const end of this.#operations.values()) end();
    this.#operations.clear();
  }

  #hear(wish: Wish): void {
    this.#untaken = 0;
    switch (wish.type) {
      case 'subscribe':
        this.#subscribe(wish.id, wish.payload);
        break;
      case 'execute':
        if (Date.now() - wish.at > longestWaitMs) this.#lost(wish.id, 'it has waited for too long');
        else void this.#execute(wish.id, wish.payload);
        break;
      case 'leave':
        this.#operations.get(wish.id)?.();
        this.#operations.delete(wish.id);
        break;
      case 'check':
        this.#link.check();
        this.say({ type: 'pong' });
        break;
      case 'ping':
        this.say({ type: 'pong' });
    }
  }

  #subscribe(id: number, payload: string): void {
    const over = (tell: () => void) => {
      this.#operations.delete(id);
      tell();
    };
    const leave = this.#link.subscribe(JSON.parse(payload), {
      next: (answer: Answer) => this.say({ type: 'next', id, answer }),
      error: (errors: readonly GraphQLFailure[]) => over(() => this.say({ type: 'error', id, errors })),
      complete: () => over(() => this.say({ type: 'complete', id })),
    });
    this.#operations.set(id, leave);
  }

  async #execute(id: number, payload: string): Promise<void> {
    const giving = new AbortController();
    this.#operations.set(id, () => giving.abort());
    try {
      const answer = await this.#link.execute!(JSON.parse(payload), giving.signal);
      this.say({ type: 'answer', id, answer });
    } catch (error) {
      this.#lost(id, messageOf(error));
    }
    this.#operations.delete(id);
  }

  #lost(id: number, reason: string): void {
    this.say({ type: 'lost', id, reason });
  }
}
