import { describe, expect, test } from 'vitest';
import { type Closure, moved } from '../src/closure.ts';
import {
  beginning,
  type Effect,
  type MachineEvent,
  type Phase,
  type Settings,
  type State,
  step,
} from '../src/machine.ts';

const settings: Settings = {
  transport: 'auto',
  pace: { firstMs: 1_000, longestMs: 30_000 },
  lingerMs: 5_000,
  settledMs: 10_000,
  upgradeMs: 60_000,
};
const now = 1_000_000;
const cut: Closure = { code: 1006, reason: 'cut', kind: 'lost' };
const closed = (closure: Closure, chance = 1): MachineEvent => ({ type: 'closed', closure, now, chance });

const events: { readonly [T in MachineEvent['type']]: Extract<MachineEvent, { type: T }> } = {
  want: { type: 'want' },
  unwant: { type: 'unwant' },
  lingered: { type: 'lingered' },
  opened: { type: 'opened', transport: 'ws', now },
  closed: { type: 'closed', closure: cut, now, chance: 1 },
  retry: { type: 'retry' },
  awake: { type: 'awake' },
  offline: { type: 'offline', now },
  reconnect: { type: 'reconnect' },
  upgrade: { type: 'upgrade' },
  upgraded: { type: 'upgraded', transport: 'ws', now },
  upgradeFailed: { type: 'upgradeFailed' },
  dispose: { type: 'dispose' },
};

const phases: { readonly [S in Phase['status']]: Extract<Phase, { status: S }> } = {
  idle: { status: 'idle' },
  connecting: { status: 'connecting', transport: 'ws' },
  connected: { status: 'connected', transport: 'ws', since: now - 60_000 },
  waiting: { status: 'waiting', retryAt: now + 1_000, reason: 'cut' },
  refused: { status: 'refused', code: 4403, reason: 'Forbidden' },
  disposed: { status: 'disposed' },
};

const inPhase = (phase: Phase, rest: Partial<State> = {}): State => ({
  ...beginning,
  phase,
  isWanted: phase.status !== 'idle' && phase.status !== 'disposed',
  ...rest,
});

/** An effect in a word or two; the stopping of timers is shown only where nothing else happens. */
function inWords(effects: readonly Effect[]): string {
  const said = effects
    .filter(({ type }) => type !== 'stop')
    .map((effect) => {
      if (effect.type === 'open') return `open ${effect.transport}`;
      if (effect.type === 'start') return `${effect.timer} in ${effect.ms}`;
      return effect.type;
    });
  return said.join(', ');
}

function told(state: State, event: MachineEvent): string {
  const { state: after, effects } = step(state, event, settings);
  const words = inWords(effects);
  return words ? `${after.phase.status}: ${words}` : after.phase.status;
}

type Table = { readonly [S in Phase['status']]: { readonly [T in MachineEvent['type']]: string } };

/** Every state and every event, with a subscription there where one can be. */
const expected: Table = {
  idle: {
    want: 'connecting: open ws',
    unwant: 'idle',
    lingered: 'idle',
    opened: 'idle',
    closed: 'idle',
    retry: 'idle',
    awake: 'idle',
    offline: 'idle',
    reconnect: 'idle',
    upgrade: 'idle',
    upgraded: 'idle',
    upgradeFailed: 'idle',
    dispose: 'disposed: close',
  },
  connecting: {
    want: 'connecting',
    unwant: 'connecting: linger in 5000',
    lingered: 'connecting',
    opened: 'connected',
    closed: 'waiting: close, retry in 1000',
    retry: 'connecting',
    awake: 'connecting',
    offline: 'connecting',
    reconnect: 'connecting',
    upgrade: 'connecting',
    upgraded: 'connecting',
    upgradeFailed: 'connecting',
    dispose: 'disposed: close',
  },
  connected: {
    want: 'connected',
    unwant: 'connected: linger in 5000',
    lingered: 'connected',
    opened: 'connected',
    closed: 'waiting: close, retry in 1000',
    retry: 'connected',
    awake: 'connected: check',
    offline: 'connected: check',
    reconnect: 'connected: check',
    upgrade: 'connected: try',
    upgraded: 'connected',
    upgradeFailed: 'connected: upgrade in 60000',
    dispose: 'disposed: close',
  },
  waiting: {
    want: 'waiting',
    unwant: 'waiting: linger in 5000',
    lingered: 'waiting',
    opened: 'waiting',
    closed: 'waiting',
    retry: 'connecting: open ws',
    awake: 'connecting: open ws',
    offline: 'waiting: close, retry in 30000',
    reconnect: 'connecting: open ws',
    upgrade: 'waiting',
    upgraded: 'waiting',
    upgradeFailed: 'waiting',
    dispose: 'disposed: close',
  },
  refused: {
    want: 'connecting: open ws',
    unwant: 'refused',
    lingered: 'refused',
    opened: 'refused',
    closed: 'refused',
    retry: 'refused',
    awake: 'refused',
    offline: 'refused',
    reconnect: 'connecting: open ws',
    upgrade: 'refused',
    upgraded: 'refused',
    upgradeFailed: 'refused',
    dispose: 'disposed: close',
  },
  disposed: {
    want: 'disposed',
    unwant: 'disposed',
    lingered: 'disposed',
    opened: 'disposed',
    closed: 'disposed',
    retry: 'disposed',
    awake: 'disposed',
    offline: 'disposed',
    reconnect: 'disposed',
    upgrade: 'disposed',
    upgraded: 'disposed',
    upgradeFailed: 'disposed',
    dispose: 'disposed',
  },
};

const cells = Object.values(phases).flatMap((phase) =>
  Object.values(events).map((event) => [phase, event, expected[phase.status][event.type]] as const),
);

test.each(cells)('%o and %o: %s', (phase, event, outcome) => {
  expect(told(inPhase(phase), event)).toBe(outcome);
});

test.each(Object.values(phases))('what nothing wants any more is let go of: %o', (phase) => {
  const open = ['connecting', 'connected', 'waiting'].includes(phase.status);
  const outcome = phase.status === 'refused' || phase.status === 'disposed' ? phase.status : 'idle';
  expect(told(inPhase(phase, { isWanted: false }), events.lingered)).toBe(open ? 'idle: close' : outcome);
});

describe('coming back', () => {
  const fail = (state: State, closure: Closure, chance = 1) => step(state, closed(closure, chance), settings);
  const retryIn = ({ effects }: { effects: readonly Effect[] }) =>
    effects.flatMap((effect) => (effect.type === 'start' && effect.timer === 'retry' ? [effect.ms] : []))[0];

  test('takes twice as long each time, up to half a minute', () => {
    let state = inPhase(phases.connecting);
    const waits = Array.from({ length: 8 }, () => {
      const failed = fail(state, cut);
      state = step(failed.state, events.retry, settings).state;
      return retryIn(failed);
    });
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  test('takes anything between half of that and the whole', () => {
    expect(retryIn(fail(inPhase(phases.connecting), cut, 0))).toBe(500);
    expect(retryIn(fail(inPhase(phases.connecting), cut, 0.5))).toBe(750);
  });

  test('takes no less than the server asks for', () => {
    const busy: Closure = { code: 429, reason: 'too many', kind: 'lost', retryAfterMs: 20_000 };
    expect(retryIn(fail(inPhase(phases.connecting), busy, 0))).toBe(20_000);
    expect(retryIn(fail(inPhase(phases.connecting), busy, 1))).toBe(25_000);
  });

  test('begins anew after a connection that has lasted, and not after one that has not', () => {
    const good = inPhase({ status: 'connected', transport: 'ws', since: now - 10_000 }, { failures: 4 });
    const poor = inPhase({ status: 'connected', transport: 'ws', since: now - 9_999 }, { failures: 4 });
    expect(retryIn(fail(good, cut))).toBe(1_000);
    expect(retryIn(fail(poor, cut))).toBe(16_000);
  });

  test('asks for another token once, and gives up when that is no good either', () => {
    const rejected: Closure = { code: 4403, reason: 'Forbidden', kind: 'rejected' };
    const once = fail(inPhase(phases.connecting), rejected);
    expect(inWords(once.effects)).toBe('open ws');
    const twice = fail(once.state, rejected);
    expect(twice.state.phase).toEqual({ status: 'refused', code: 4403, reason: 'Forbidden' });
    const letIn = step(once.state, events.opened, settings);
    expect(letIn.state.rejections).toBe(0);
  });

  test('is not done after what would end in the same way', () => {
    const final: Closure = { code: 4400, reason: 'Bad request', kind: 'final' };
    for (const phase of [phases.connecting, phases.connected]) {
      expect(fail(inPhase(phase), final).state.phase).toMatchObject({ status: 'refused', code: 4400 });
    }
  });

  test('is done at once, and is no failure, where another tab has the connection', () => {
    const handed = fail(inPhase({ ...phases.connected, since: now }, { failures: 2 }), moved);
    expect(inWords(handed.effects)).toBe('open ws');
    expect(handed.state.failures).toBe(2);
  });

  test('is not done for nobody', () => {
    const alone = inPhase(phases.connected, { isWanted: false });
    expect(fail(alone, cut).state).toEqual(beginning);
  });
});

describe('where no WebSocket can be opened', () => {
  const unreachable: Closure = { code: 1006, reason: '', kind: 'unreachable' };
  const next = (state: State, closure: Closure) =>
    step(step(state, closed(closure), settings).state, events.retry, settings).state;
  const transportOf = ({ phase }: State) => ('transport' in phase ? phase.transport : phase.status);

  test('it takes Server-Sent Events after two attempts, and tries both by turns while neither works', () => {
    let state = inPhase(phases.connecting);
    const tried = Array.from({ length: 7 }, () => {
      const transport = transportOf(state);
      state = next(state, unreachable);
      return transport;
    });
    expect(tried).toEqual(['ws', 'ws', 'sse', 'ws', 'sse', 'ws', 'sse']);
  });

  test('it stays with them over a loss, and tries a WebSocket again later', () => {
    const fallen = inPhase({ status: 'connecting', transport: 'sse' }, { blockedSockets: 2 });
    const { state, effects } = step(fallen, { ...events.opened, transport: 'sse' }, settings);
    expect(state.phase).toMatchObject({ status: 'connected', transport: 'sse' });
    // Who was merely offline is on a WebSocket at once.
    expect(inWords(effects)).toBe('try');
    expect(told(state, events.upgradeFailed)).toBe('connected: upgrade in 60000');
    expect(transportOf(next(state, cut))).toBe('sse');
    for (const event of [events.upgrade, events.awake, events.reconnect]) {
      expect(told(state, event)).toBe('connected: try');
    }
    const upgraded = step(state, events.upgraded, settings).state;
    expect(upgraded.phase).toMatchObject({ status: 'connected', transport: 'ws' });
    expect(transportOf(next(upgraded, cut))).toBe('ws');
  });

  test('it does not where the server has answered, or where only one wire is wanted', () => {
    const twice = (closure: Closure) => next(next(inPhase(phases.connecting), closure), closure);
    expect(transportOf(twice(cut))).toBe('ws');
    const only = { ...settings, transport: 'ws' } as const;
    const blocked = inPhase(phases.waiting, { blockedSockets: 5 });
    expect(transportOf(step(blocked, events.retry, only).state)).toBe('ws');
  });
});
