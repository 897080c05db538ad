import { type Closure, moved, unreachable } from '../closure.ts';
import type { Link, LinkEvents, LinkSink } from '../link.ts';
import type { Payload } from '../operation.ts';
import type { RealtimeTransport } from '../types.ts';
import { Desk } from './desk.ts';
import { Held, hold } from './hold.ts';
import type { HallMessage } from './messages.ts';
import { Relay, type RelayPatience } from './relay.ts';

export interface MemberOptions {
  /** The name of those who share: of their lock, and of the channel that they have in common. */
  readonly circle: string;
  readonly transport: RealtimeTransport;
  readonly events: LinkEvents;
  readonly patience: RelayPatience;
  readonly openReal: (events: LinkEvents) => Promise<Link>;
  /** That its tab holds already: it leads from the beginning. */
  readonly lock?: Held;
}

/**
 * A link of a tab that shares: its own one where the tab leads, or one through the tab that does. Which of the two
 * shows after it was asked for, and stays so until it ends: docs/decisions/0023.
 */
export class Member implements Link {
  readonly #options: MemberOptions;
  readonly #hall: BroadcastChannel;
  readonly #id = crypto.randomUUID();
  readonly #over = new AbortController();
  /** It holds the lock of its own name: a leader can see that it is there. */
  #isPresent = false;
  /** While it leads. */
  #lock: Held | null = null;
  #real: Link | null = null;
  #desk: Desk | null = null;
  /** While it joins a leader, or follows. */
  #relay: Relay | null = null;
  /** Until it has heard of a leader. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: MemberOptions) {
    const { circle, lock } = options;
    const { signal } = this.#over;
    this.#options = options;
    this.#hall = new BroadcastChannel(circle);
    this.#hall.onmessage = ({ data }: MessageEvent<HallMessage>) => this.#hear(data);
    whenAsleep(signal, () => this.#sleep());
    if (lock) {
      void this.#lead(lock);
      return;
    }
    hold(circle, {
      signal,
      granted: (held) => this.#granted(held),
      refused: () => void this.#lead(new Held(() => {})),
    });
    hold(`${circle} ${this.#id}`, {
      signal,
      granted: (held) => {
        signal.addEventListener('abort', () => held.leave());
        this.#isPresent = true;
        this.#say({ type: 'seek' });
      },
    });
    // A leader that makes no connection lets go of the lock by then, unless it hangs.
    const { openWithinMs, pongWithinMs } = options.patience;
    this.#timer = setTimeout(() => this.#depose(), openWithinMs + pongWithinMs);
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** That it leads under. */
  get lock(): Held | null {
    return this.#lock;
  }

  get transport(): RealtimeTransport {
    return this.#link?.transport ?? this.#options.transport;
  }

  get renews(): boolean {
    return this.#link?.renews ?? false;
  }

  get execute(): Link['execute'] {
    return this.#link?.execute ?? null;
  }

  get #link(): Link | null {
    return this.#real ?? this.#relay;
  }

  subscribe(payload: Payload, sink: LinkSink): () => void {
    return this.#link?.subscribe(payload, sink) ?? (() => {});
  }

  check(): void {
    this.#link?.check();
  }

  close(): void {
    this.#end(moved);
  }

  /** @param others what those who follow are told */
  #end(others: Closure): boolean {
    if (this.isOver) return false;
    // Withdraws what it has asked for, before anything that is let go of could be granted to it.
    this.#over.abort();
    clearTimeout(this.#timer);
    this.#desk?.close(others);
    this.#link?.close();
    this.#hall.close();
    this.#lock?.leave();
    return true;
  }

  #closed(closure: Closure, others = moved): void {
    if (this.#end(others)) this.#options.events.closed(closure);
  }

  /** The others go on without it. Its own client hears of that when it can do something about it. */
  #sleep(): void {
    if (this.#end(moved)) onceAwake(() => this.#options.events.closed(moved));
  }

  #say(message: HallMessage): void {
    if (!this.isOver) this.#hall.postMessage(message);
  }

  #hear(message: HallMessage): void {
    switch (message.type) {
      case 'seek':
        if (this.#desk) this.#say({ type: 'lead', desk: this.#desk.id });
        break;
      case 'join':
        if (message.desk === this.#desk?.id) this.#desk.admit(message.from);
        break;
      case 'lead':
        this.#join(message.desk);
    }
  }

  #join(desk: string): void {
    if (!this.#isPresent || this.#lock || this.#relay?.desk === desk) return;
    if (this.#relay?.isOpen) {
      this.#closed(moved);
      return;
    }
    this.#relay?.close();
    const { circle, events, patience } = this.#options;
    const relay: Relay = new Relay({
      channel: `${circle} ${this.#id}`,
      desk,
      patience,
      events: {
        opened: (welcome) => {
          clearTimeout(this.#timer);
          events.opened(welcome);
        },
        latency: events.latency,
        closed: (closure) => this.#closed(closure),
        silent: () => this.#depose(),
      },
    });
    this.#relay = relay;
    this.#say({ type: 'join', desk, from: this.#id });
  }

  #granted(held: Held): void {
    if (!this.#relay?.isOpen) return void this.#lead(held);
    // The leader is gone. All who follow it are told so in turn, and seek behind each other.
    held.leave();
    this.#closed(moved);
  }

  /** The leader has its lock, and does not answer. */
  #depose(): void {
    const { signal } = this.#over;
    hold(this.#options.circle, { signal, steal: true, granted: (held) => this.#granted(held) });
  }

  async #lead(lock: Held): Promise<void> {
    this.#lock = lock;
    clearTimeout(this.#timer);
    lock.stolen.addEventListener('abort', () => this.#closed(moved), { signal: this.#over.signal });
    this.#relay?.close();
    this.#relay = null;
    const { circle, events, openReal } = this.#options;
    try {
      const real = await openReal({
        opened: (welcome) => {
          this.#desk = new Desk({ circle, link: real, connectionId: welcome.connectionId });
          this.#say({ type: 'lead', desk: this.#desk.id });
          events.opened(welcome);
        },
        closed: (closure) => this.#closed(closure, closure),
        latency: (milliseconds) => {
          this.#desk?.latency(milliseconds);
          events.latency(milliseconds);
        },
      });
      this.#real = real;
      if (this.isOver) real.close();
    } catch (error) {
      this.#closed(unreachable(error));
    }
  }
}

/** Frozen, or kept for the back button: nothing runs there, and nothing may depend on it. */
function whenAsleep(signal: AbortSignal, sleep: () => void): void {
  globalThis.addEventListener?.('pagehide', sleep, { signal });
  globalThis.document?.addEventListener('freeze', sleep, { signal });
}

function onceAwake(wake: () => void): void {
  const waking = new AbortController();
  const { signal } = waking;
  const awake = () => {
    waking.abort();
    wake();
  };
  globalThis.addEventListener?.('pageshow', awake, { signal });
  globalThis.document?.addEventListener('resume', awake, { signal });
}
