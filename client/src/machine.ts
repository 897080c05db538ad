/**
 * When a client connects, waits, and gives up: a table, without timers, sockets or a clock.
 *
 *                       ┌───────────── closed: wait ─────────────┐
 *                       ▼                                        │
 *   idle ── want ──► connecting ── opened ──► connected ── closed┤
 *    ▲                  │  ▲                     │               ▼
 *    │                  │  └── retry, awake ─────┼──────────  waiting
 *    └──── lingered ────┴────────────────────────┘
 *                       └── closed for good, or the token rejected twice ──► refused ── reconnect, want ──► connecting
 *
 *   anything ── dispose ──► disposed
 */
import { backoff, type Pace } from './backoff.ts';
import type { Closure } from './closure.ts';
import type { RealtimeTransport } from './types.ts';

export interface State {
  readonly phase: Phase;
  /** There are subscriptions. */
  readonly isWanted: boolean;
  /** In a row; each makes the next wait longer. */
  readonly failures: number;
  /** Of the token, in a row: one may have been too old, two were both no good. */
  readonly rejections: number;
  /** How often in a row no WebSocket could be opened. */
  readonly blockedSockets: number;
}

export type Phase =
  | { readonly status: 'idle' }
  | { readonly status: 'connecting'; readonly transport: RealtimeTransport }
  | { readonly status: 'connected'; readonly transport: RealtimeTransport; readonly since: number }
  | { readonly status: 'waiting'; readonly retryAt: number; readonly reason: string }
  | { readonly status: 'refused'; readonly code: number | string; readonly reason: string }
  | { readonly status: 'disposed' };

/** `now` in milliseconds since 1970, `chance` from 0 to 1. */
export type MachineEvent =
  /** The first subscription came, the last one left. */
  | { readonly type: 'want' }
  | { readonly type: 'unwant' }
  /** Nothing has wanted it for a while. */
  | { readonly type: 'lingered' }
  /** `transport` is not the one that was asked for where another tab has the connection. */
  | { readonly type: 'opened'; readonly transport: RealtimeTransport; readonly now: number }
  | { readonly type: 'closed'; readonly closure: Closure; readonly now: number; readonly chance: number }
  /** The wait is over. */
  | { readonly type: 'retry' }
  /** The machine is on the network again, or the page is looked at. */
  | { readonly type: 'awake' }
  | { readonly type: 'offline'; readonly now: number }
  /** The application asks for it. */
  | { readonly type: 'reconnect' }
  /** It is time to see whether WebSockets get through by now; one did, none did. */
  | { readonly type: 'upgrade' }
  | { readonly type: 'upgraded'; readonly transport: RealtimeTransport; readonly now: number }
  | { readonly type: 'upgradeFailed' }
  | { readonly type: 'dispose' };

export type Timer = 'retry' | 'linger' | 'upgrade';

export type Effect =
  /** Asks for a token, and connects. What is open is let go of. */
  | { readonly type: 'open'; readonly transport: RealtimeTransport }
  | { readonly type: 'close' }
  /** Opens a WebSocket beside what is open. */
  | { readonly type: 'try' }
  /** Finds out whether the other side is still there. */
  | { readonly type: 'check' }
  | { readonly type: 'start'; readonly timer: Timer; readonly ms: number }
  | { readonly type: 'stop'; readonly timer: Timer };

export interface Settings {
  readonly transport: RealtimeTransport | 'auto';
  readonly pace: Pace;
  /** How long a connection stays that nothing wants. */
  readonly lingerMs: number;
  /** A connection that has lasted so long was a good one: the next failure is the first. */
  readonly settledMs: number;
  /** How often a WebSocket is tried while there is none. */
  readonly upgradeMs: number;
}

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

export const beginning: State = {
  phase: { status: 'idle' },
  isWanted: false,
  failures: 0,
  rejections: 0,
  blockedSockets: 0,
};

export function step(state: State, event: MachineEvent, settings: Settings): Step {
  const cell = table[state.phase.status][event.type] as Cell<MachineEvent['type']>;
  return cell(state, event, settings);
}

type Cell<T extends MachineEvent['type']> = (
  state: State,
  event: Extract<MachineEvent, { type: T }>,
  settings: Settings,
) => Step;
type Table = { readonly [S in Phase['status']]: { readonly [T in MachineEvent['type']]: Cell<T> } };

const stay = (state: State): Step => ({ state, effects: [] });
const want = (state: State): Step => ({
  state: { ...state, isWanted: true },
  effects: [{ type: 'stop', timer: 'linger' }],
});
const unwant: Cell<'unwant'> = (state, _event, { lingerMs }) => ({
  state: { ...state, isWanted: false },
  effects: [{ type: 'start', timer: 'linger', ms: lingerMs }],
});
const check = (state: State): Step => ({ state, effects: [{ type: 'check' }] });
/** On another network, or told to, WebSockets may get through at once. */
const look = (state: State, _event: unknown, settings: Settings): Step => ({
  state,
  effects: [isFallback(state, settings) ? { type: 'try' } : { type: 'check' }],
});
const dispose = (state: State): Step => ({
  state: { ...state, phase: { status: 'disposed' }, isWanted: false },
  effects: [...stopAll, { type: 'close' }],
});

const stopAll: readonly Effect[] = [
  { type: 'stop', timer: 'retry' },
  { type: 'stop', timer: 'linger' },
  { type: 'stop', timer: 'upgrade' },
];

const table: Table = {
  idle: {
    want: (state, _event, settings) => open({ ...state, isWanted: true }, settings),
    unwant: stay,
    lingered: stay,
    opened: stay,
    closed: stay,
    retry: stay,
    awake: stay,
    offline: stay,
    reconnect: stay,
    upgrade: stay,
    upgraded: stay,
    upgradeFailed: stay,
    dispose,
  },
  connecting: {
    want,
    unwant,
    lingered: rest,
    opened,
    closed: failed,
    retry: stay,
    awake: stay,
    offline: stay,
    reconnect: stay,
    upgrade: stay,
    upgraded: stay,
    upgradeFailed: stay,
    dispose,
  },
  connected: {
    want,
    unwant,
    lingered: rest,
    opened: stay,
    closed: lost,
    retry: stay,
    awake: look,
    offline: check,
    reconnect: look,
    upgrade: (state) => ({ state, effects: [{ type: 'try' }] }),
    upgraded: opened,
    upgradeFailed: (state, _event, settings) => ({ state, effects: [upgradeLater(settings)] }),
    dispose,
  },
  waiting: {
    want,
    unwant,
    lingered: rest,
    opened: stay,
    closed: stay,
    retry: (state, _event, settings) => open(state, settings),
    awake: (state, _event, settings) => open(state, settings),
    offline: (state, { now }, settings) =>
      wait(state, now, settings.pace.longestMs, 'the machine is off the network'),
    reconnect: (state, _event, settings) => open(state, settings),
    upgrade: stay,
    upgraded: stay,
    upgradeFailed: stay,
    dispose,
  },
  refused: {
    want: (state, _event, settings) => open({ ...state, isWanted: true, rejections: 0 }, settings),
    unwant: (state) => stay({ ...state, isWanted: false }),
    lingered: stay,
    opened: stay,
    closed: stay,
    retry: stay,
    awake: stay,
    offline: stay,
    reconnect: (state, _event, settings) =>
      state.isWanted ? open({ ...state, rejections: 0 }, settings) : rest(state),
    upgrade: stay,
    upgraded: stay,
    upgradeFailed: stay,
    dispose,
  },
  disposed: {
    want: stay,
    unwant: stay,
    lingered: stay,
    opened: stay,
    closed: stay,
    retry: stay,
    awake: stay,
    offline: stay,
    reconnect: stay,
    upgrade: stay,
    upgraded: stay,
    upgradeFailed: stay,
    dispose: stay,
  },
};

/** Nothing is open, and nothing waits. */
function rest(state: State): Step {
  if (state.isWanted) return stay(state);
  return {
    state: { ...beginning, blockedSockets: state.blockedSockets },
    effects: [...stopAll, { type: 'close' }],
  };
}

function open(state: State, settings: Settings): Step {
  const transport = transportOf(state, settings);
  return {
    state: { ...state, phase: { status: 'connecting', transport } },
    effects: [
      { type: 'stop', timer: 'retry' },
      { type: 'stop', timer: 'upgrade' },
      { type: 'open', transport },
    ],
  };
}

/** Twice is no accident: something between lets no WebSocket through. */
function transportOf({ blockedSockets }: State, { transport }: Settings): RealtimeTransport {
  if (transport !== 'auto') return transport;
  return blockedSockets >= 2 ? 'sse' : 'ws';
}

function opened(
  state: State,
  { transport, now }: { transport: RealtimeTransport; now: number },
  settings: Settings,
): Step {
  const next: State = {
    ...state,
    phase: { status: 'connected', transport, since: now },
    // Over Server-Sent Events nobody has looked at the token yet.
    rejections: transport === 'ws' ? 0 : state.rejections,
    blockedSockets: transport === 'ws' ? 0 : state.blockedSockets,
  };
  // HTTP answers now: what kept WebSockets away may have been the network, which is there again.
  return { state: next, effects: isFallback(next, settings) ? [{ type: 'try' }] : [] };
}

function isFallback({ phase }: State, { transport }: Settings): boolean {
  return transport === 'auto' && phase.status === 'connected' && phase.transport === 'sse';
}

function upgradeLater({ upgradeMs }: Settings): Effect {
  return { type: 'start', timer: 'upgrade', ms: upgradeMs };
}

/** An attempt has come to nothing. */
function failed(state: State, event: Extract<MachineEvent, { type: 'closed' }>, settings: Settings): Step {
  const transport = state.phase.status === 'connecting' ? state.phase.transport : 'ws';
  const isUnreachable = event.closure.kind === 'unreachable';
  const blockedSockets = () => {
    if (transport === 'ws') return isUnreachable ? state.blockedSockets + 1 : 0;
    // Without either wire it is the network: each has its turn.
    return isUnreachable ? 1 : state.blockedSockets;
  };
  return comeBack({ ...state, blockedSockets: blockedSockets() }, event, settings);
}

/** A connection has ended. */
function lost(state: State, event: Extract<MachineEvent, { type: 'closed' }>, settings: Settings): Step {
  const since = state.phase.status === 'connected' ? state.phase.since : event.now;
  const hasSettled = event.now - since >= settings.settledMs;
  return comeBack(hasSettled ? { ...state, failures: 0, rejections: 0 } : state, event, settings);
}

function comeBack(
  state: State,
  { closure, now, chance }: Extract<MachineEvent, { type: 'closed' }>,
  settings: Settings,
): Step {
  const { kind, code, reason, retryAfterMs = 0 } = closure;
  if (!state.isWanted) return rest(state);
  if (kind === 'moved') return open(state, settings);
  if (kind === 'rejected' && state.rejections === 0) return open({ ...state, rejections: 1 }, settings);
  if (kind === 'rejected' || kind === 'final') {
    return {
      state: { ...state, phase: { status: 'refused', code, reason }, failures: 0, rejections: 0 },
      effects: [...stopAll, { type: 'close' }],
    };
  }
  const ms = Math.max(backoff(settings.pace, state.failures, chance), retryAfterMs * (1 + chance / 4));
  return wait({ ...state, failures: state.failures + 1 }, now, ms, reason);
}

function wait(state: State, now: number, ms: number, reason: string): Step {
  return {
    state: { ...state, phase: { status: 'waiting', retryAt: now + ms, reason } },
    effects: [{ type: 'stop', timer: 'upgrade' }, { type: 'close' }, { type: 'start', timer: 'retry', ms }],
  };
}
