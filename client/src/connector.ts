import { Attempt, type OpenLink } from './attempt.ts';
import type { Link, Welcome } from './link.ts';
import { beginning, type Effect, type MachineEvent, type Settings, step, type Timer } from './machine.ts';
import type { GetToken } from './renewal.ts';
import type { Connection, RealtimeTransport } from './types.ts';

export interface ConnectorOptions {
  readonly settings: Settings;
  readonly getToken: GetToken;
  readonly openLink: OpenLink;
  /** A connection can be used from now on, until `lost`. */
  readonly opened: (link: Link, welcome: Welcome) => void;
  readonly lost: () => void;
  /** `connection` is another one. */
  readonly changed: () => void;
}

const timerEvents = { retry: 'retry', linger: 'lingered', upgrade: 'upgrade' } as const;

/** Has the machine's effects: makes and ends connections, and keeps time. */
export class Connector {
  readonly #options: ConnectorOptions;
  #state = beginning;
  #connection: Connection = { status: 'idle' };
  /** Being made, or open. */
  #current: Attempt | null = null;
  /** A WebSocket that is tried beside what is open. */
  #trial: Attempt | null = null;
  readonly #timers = new Map<Timer, ReturnType<typeof setTimeout>>();
  readonly #waiting: MachineEvent[] = [];
  #isStepping = false;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** The open one. */
  get link(): Link | null {
    return this.#current?.welcome ? this.#current.link : null;
  }

  /** One event after another, also where one is the consequence of another. */
  tell(event: MachineEvent): void {
    this.#waiting.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const { state, effects } = step(this.#state, next, this.#options.settings);
      this.#state = state;
      for (const effect of effects) this.#perform(effect);
      this.#publish();
    }
    this.#isStepping = false;
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'open':
        this.#drop();
        this.#current = this.#attempt(effect.transport);
        break;
      case 'close':
        this.#drop();
        break;
      case 'try':
        this.#trial?.end();
        this.#trial = this.#attempt('ws');
        break;
      case 'check':
        this.link?.check();
        break;
      case 'start': {
        const type = timerEvents[effect.timer];
        clearTimeout(this.#timers.get(effect.timer));
        this.#timers.set(
          effect.timer,
          setTimeout(() => this.tell({ type }), effect.ms),
        );
        break;
      }
      case 'stop':
        clearTimeout(this.#timers.get(effect.timer));
    }
  }

  #attempt(transport: RealtimeTransport): Attempt {
    return new Attempt(transport, this.#options.getToken, this.#options.openLink, {
      opened: (attempt) => {
        const isTrial = attempt === this.#trial;
        if (isTrial) {
          this.#trial = null;
          this.#drop();
          this.#current = attempt;
        }
        const { transport } = attempt.link!;
        this.tell({ type: isTrial ? 'upgraded' : 'opened', transport, now: Date.now() });
        this.#options.opened(attempt.link!, attempt.welcome!);
      },
      closed: (attempt, closure) => {
        if (attempt === this.#trial) {
          this.#trial = null;
          this.tell({ type: 'upgradeFailed' });
        } else {
          this.#drop();
          this.tell({ type: 'closed', closure, now: Date.now(), chance: Math.random() });
        }
      },
      changed: () => this.#publish(),
    });
  }

  /** Lets go of what is open, or being made. */
  #drop(): void {
    const attempt = this.#current;
    this.#current = null;
    attempt?.end();
    this.#trial?.end();
    this.#trial = null;
    if (attempt?.welcome) this.#options.lost();
  }

  #publish(): void {
    const connection = this.#look();
    if (isSame(connection, this.#connection)) return;
    this.#connection = connection;
    this.#options.changed();
  }

  #look(): Connection {
    const { phase, failures: attempt } = this.#state;
    switch (phase.status) {
      case 'connecting':
        return { status: 'connecting', attempt, transport: phase.transport };
      case 'connected': {
        const connectionId = this.#current?.welcome?.connectionId ?? null;
        const latencyMs = this.#current?.latencyMs ?? null;
        return { status: 'connected', transport: phase.transport, connectionId, latencyMs };
      }
      case 'waiting':
        return { status: 'waiting', attempt, retryAt: phase.retryAt, reason: phase.reason };
      default:
        return phase;
    }
  }
}

function isSame(one: Connection, other: Connection): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
