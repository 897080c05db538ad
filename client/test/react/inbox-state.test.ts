import { assert, boolean, constantFrom, integer, property, record, array as someOf } from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type InboxState,
  type Notification,
  nextExpiryOf,
  notificationsOf,
  unreadCountOf,
  unreadInbox,
  withCounting,
  withInbox,
  withInboxChange,
  withMarked,
  withMarking,
  withOlderNotifications,
  withoutMarking,
} from '../../src/react/inbox-state.ts';

const pageSize = 3;
/** So many unread ones are known one by one; of the server it is a hundred. */
const mostKnown = 4;
const now = Date.parse('2026-01-01T00:00:00.000Z');

interface Told {
  readonly id: string;
  readonly notification: Notification | null;
  readonly isLeaving: boolean;
}

/** A server, an inbox, and a wire on which answers take their time. */
class World {
  state: InboxState = unreadInbox;
  readonly rows = new Map<string, Notification>();
  readonly events: Told[] = [];
  readonly answers: (() => void)[] = [];
  /** How many events the stream has told. */
  told = 0;
  loads = 0;
  #count = 0;
  #version = 0;
  #since: Told[] | null = null;

  #commit(notification: Notification): Notification {
    this.#version += 1;
    const committed = { ...notification, updatedAt: `version ${this.#version}` };
    this.rows.set(committed.id, committed);
    this.events.push({ id: committed.id, notification: committed, isLeaving: false });
    return committed;
  }

  arrive(): void {
    this.#count += 1;
    this.#commit({
      ...{
        id: String(this.#count).padStart(6, '0'),
        type: 'info',
        category: 'general',
        title: '',
        message: '',
      },
      ...{ priority: 'NORMAL', data: null, url: null, actions: [], actor: null, isRead: false, readAt: null },
      ...{ deliveredAt: null, expiresAt: null, createdAt: '', updatedAt: '' },
    });
  }

  remove(pick: number): void {
    const row = this.#some(pick);
    if (!row) return;
    this.rows.delete(row.id);
    // What is told of it once more comes without content.
    for (const [index, event] of this.events.entries()) {
      if (event.id === row.id) this.events[index] = { ...event, notification: null };
    }
    this.events.push({ id: row.id, notification: null, isLeaving: true });
  }

  /** By another tab, or by the viewer: marking again changes nothing. */
  mark(id: string, isRead: boolean): Notification | null {
    const row = this.rows.get(id);
    if (!row) return null;
    return row.isRead === isRead ? row : this.#commit({ ...row, isRead });
  }

  elsewhere(pick: number, isRead: boolean): void {
    const row = this.#some(pick);
    if (row) this.mark(row.id, isRead);
  }

  here(pick: number, isRead: boolean, number: number): void {
    const shown = notificationsOf(this.state, now);
    const row = shown[pick % Math.max(shown.length, 1)];
    if (!row) return;
    this.state = withMarking(this.state, { id: row.id, isRead, number });
    const answer = this.mark(row.id, isRead);
    this.answers.push(() => {
      this.state = answer
        ? withMarked(this.state, answer, number)
        : withoutMarking(this.state, row.id, number);
    });
  }

  answer(pick: number): void {
    const [answer] = this.answers.splice(pick % Math.max(this.answers.length, 1), 1);
    answer?.();
  }

  tell(): void {
    const event = this.events[this.told];
    if (!event) return;
    this.told += 1;
    if (!event.notification && !event.isLeaving) return;
    this.#since?.push(event);
    this.state = withInboxChange(this.state, event);
  }

  load(behind: number): void {
    this.loads += 1;
    this.told = Math.max(this.events.length - (behind % 4), 0);
    this.#since = null;
    const rows = this.list;
    this.state = withInbox(this.state, { page: this.#page(rows), unread: this.#unread() });
  }

  older(): void {
    const { cursor, hasOlder } = this.state.window;
    if (!hasOlder) return;
    const page = this.#page(this.list.filter(({ id }) => id < cursor!));
    const { loads } = this;
    this.answers.push(() => {
      // A page that was asked for behind another state is of no use any more: the inbox gives it up with that state.
      const isUsable = loads === this.loads && cursor === this.state.window.cursor;
      if (isUsable) this.state = withOlderNotifications(this.state, page);
    });
  }

  /** It is counted, and some of the stream may be told before that is answered. */
  count(events: number): void {
    if (!this.state.unread.isStale) return;
    const since: Told[] = [];
    this.#since = since;
    const counting = this.#unread();
    for (let event = 0; event < events % 4; event += 1) this.tell();
    this.#since = null;
    this.state = withCounting(this.state, counting, since);
  }

  get list(): Notification[] {
    return [...this.rows.values()].reverse();
  }

  get unread(): number {
    return this.list.filter(({ isRead }) => !isRead).length;
  }

  #unread() {
    const unread = this.list.filter(({ isRead }) => !isRead);
    const ids = new Map(unread.slice(0, mostKnown).map(({ id }) => [id, null]));
    return { totalCount: unread.length, ids };
  }

  #page(rows: Notification[]) {
    const page = rows.slice(0, pageSize);
    return { rows: page, cursor: page.at(-1)?.id ?? null, hasOlder: rows.length > page.length };
  }

  #some(pick: number): Notification | undefined {
    return this.list[pick % Math.max(this.rows.size, 1)];
  }

  settle(): void {
    while (this.answers.length > 0) this.answer(0);
    while (this.told < this.events.length) this.tell();
    while (this.state.unread.isStale) this.count(0);
  }
}

const steps = someOf(
  record({
    what: constantFrom(
      ...(['arrive', 'arrive', 'here', 'here', 'elsewhere', 'elsewhere', 'answer', 'answer'] as const),
      ...(['tell', 'tell', 'tell', 'remove', 'older', 'load', 'count'] as const),
    ),
    pick: integer({ min: 0, max: 11 }),
    isRead: boolean(),
  }),
  { maxLength: 80 },
);

/** A page is asked for, and arrives when everything has been read anew. */
const lateAcrossLoad = (['older', 'remove', 'load'] as const).map((what, index) => ({
  ...{ what, pick: index === 1 ? 3 : 0, isRead: false },
}));

describe('an inbox', () => {
  test('is what the server has, and its count the number of unread ones, in whichever order all comes', () => {
    assert(
      property(integer({ min: 0, max: 12 }), steps, (atFirst, taken) => {
        const world = new World();
        for (let count = 0; count < atFirst; count += 1) world.arrive();
        world.load(0);
        for (const [number, { what, pick, isRead }] of taken.entries()) {
          if (what === 'arrive') world.arrive();
          if (what === 'here') world.here(pick, isRead, number);
          if (what === 'elsewhere') world.elsewhere(pick, isRead);
          if (what === 'answer') world.answer(pick);
          if (what === 'tell') world.tell();
          if (what === 'remove') world.remove(pick);
          if (what === 'older') world.older();
          if (what === 'load') world.load(pick);
          if (what === 'count') world.count(pick);
          const ids = notificationsOf(world.state, now).map(({ id }) => id);
          expect(ids).toEqual([...new Set(ids)].sort().reverse());
        }
        world.settle();
        expect(world.state.markings.size).toBe(0);
        expect(unreadCountOf(world.state, now)).toBe(world.unread);
        while (world.state.window.hasOlder) {
          world.older();
          world.answer(0);
        }
        expect(notificationsOf(world.state, now)).toEqual(world.list);
      }),
      { numRuns: 3_000, examples: [[5, lateAcrossLoad]] },
    );
  });

  test('shows a marking at once, and only the last of several', () => {
    const world = new World();
    world.arrive();
    world.load(0);
    world.here(0, true, 1);
    expect(unreadCountOf(world.state, now)).toBe(0);
    world.here(0, false, 2);
    world.answer(0);
    expect(unreadCountOf(world.state, now)).toBe(1);
    world.settle();
    expect(notificationsOf(world.state, now)[0]!.isRead).toBe(false);
  });

  test('lets go of what has expired, in list and count alike', () => {
    const world = new World();
    world.arrive();
    const expiring = { ...world.list[0]!, expiresAt: new Date(now + 1_000).toISOString() };
    const state = withInboxChange(unreadInbox, { id: expiring.id, notification: expiring });
    expect(nextExpiryOf(state, now)).toBe(now + 1_000);
    expect([notificationsOf(state, now).length, unreadCountOf(state, now)]).toEqual([1, 1]);
    expect([notificationsOf(state, now + 1_000).length, unreadCountOf(state, now + 1_000)]).toEqual([0, 0]);
    expect(nextExpiryOf(state, now + 1_000)).toBeNull();
  });
});
