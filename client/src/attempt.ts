import { type Closure, messageOf, unreachable } from './closure.ts';
import type { Link, LinkEvents, Welcome } from './link.ts';
import { type GetToken, Renewal } from './renewal.ts';
import type { RealtimeTransport } from './types.ts';

/** Rejects where what it takes cannot be loaded. */
export type OpenLink = (
  transport: RealtimeTransport,
  token: string | null,
  events: LinkEvents,
) => Promise<Link>;

export interface AttemptEvents {
  opened(attempt: Attempt): void;
  /** Once, whether it was opened or not; not after `end`. */
  closed(attempt: Attempt, closure: Closure): void;
  changed(): void;
}

/** One connection together with what it needs before and while it is open: a token, and another one in time. */
export class Attempt {
  readonly transport: RealtimeTransport;
  link: Link | null = null;
  /** From when it is open. */
  welcome: Welcome | null = null;
  latencyMs: number | null = null;
  #renewal: Renewal | null = null;
  #isOver = false;
  readonly #events: AttemptEvents;
  readonly #getToken: GetToken;

  constructor(transport: RealtimeTransport, getToken: GetToken, openLink: OpenLink, events: AttemptEvents) {
    this.transport = transport;
    this.#events = events;
    this.#getToken = getToken;
    void this.#connect(openLink);
  }

  async #connect(openLink: OpenLink): Promise<void> {
    let token: string | null;
    try {
      token = await this.#getToken();
    } catch (error) {
      return this.#closed({ code: 'TOKEN_UNAVAILABLE', reason: messageOf(error), kind: 'lost' });
    }
    if (this.#isOver) return;
    try {
      this.link = await openLink(this.transport, token, {
        opened: (welcome) => this.#opened(welcome, token),
        closed: (closure) => this.#closed(closure),
        latency: (milliseconds) => {
          this.latencyMs = Math.round(milliseconds);
          this.#events.changed();
        },
      });
    } catch (error) {
      return this.#closed(unreachable(error));
    }
    if (this.#isOver) this.link.close();
  }

  #opened(welcome: Welcome, token: string | null): void {
    if (this.#isOver) return;
    this.welcome = welcome;
    if (this.link?.renews) this.#renewal = new Renewal(this.link, token, this.#getToken);
    this.#events.opened(this);
  }

  #closed(closure: Closure): void {
    if (this.#isOver) return;
    this.end();
    this.#events.closed(this, closure);
  }

  end(): void {
    this.#isOver = true;
    this.#renewal?.stop();
    this.link?.close();
  }
}
