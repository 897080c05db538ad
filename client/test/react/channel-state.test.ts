import { assert, constantFrom, integer, property, record, array as someOf } from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ChannelState,
  type Message,
  messagesOf,
  unreadChannel,
  withAnswer,
  withEvent,
  withOlderPage,
  withoutSending,
  withRefusal,
  withRetry,
  withSending,
  withState,
} from '../../src/react/channel-state.ts';

const pageSize = 3;
const me = { id: 'ada', name: 'Ada', avatarUrl: null };
const other = { id: 'bob', name: 'Bob', avatarUrl: null };
const channel = {
  ...{ id: 'general', name: 'general', kind: 'PUBLIC' as const, title: null },
  ...{ memberCount: 2, viewerRole: 'MEMBER' as const, createdAt: '2026-01-01T00:00:00.000Z' },
};

/** A server, a client, and a wire on which answers take their time. */
class World {
  state: ChannelState = unreadChannel;
  readonly rows = new Map<string, Message>();
  readonly events: Message[] = [];
  /** How many events the stream has told; null while it is not subscribed. */
  told: number | null = null;
  readonly answers: (() => void)[] = [];
  readonly sent = new Set<string>();
  #count = 0;

  get list(): Message[] {
    return [...this.rows.values()];
  }

  #commit(message: Message): void {
    // What has been deleted is told without its content, also what was told of it before.
    if (message.deletedAt) {
      for (const [index, event] of this.events.entries()) {
        if (event.id === message.id) this.events[index] = message;
      }
    }
    this.rows.set(message.id, message);
    this.events.push(message);
  }

  write(sender: typeof me, clientId: string | null): Message {
    const known = this.list.find(
      (message) => clientId !== null && message.clientId === clientId && message.sender?.id === sender.id,
    );
    if (known) return known;
    this.#count += 1;
    const message: Message = {
      ...{
        id: String(this.#count).padStart(6, '0'),
        body: 'first',
        data: null,
        clientId,
        sender,
        replyTo: null,
      },
      ...{ createdAt: String(this.#count), editedAt: null, deletedAt: null },
    };
    this.#commit(message);
    return message;
  }

  change(pick: number, change: Partial<Message>): void {
    const message = this.list[pick % Math.max(this.rows.size, 1)];
    if (message && !message.deletedAt) this.#commit({ ...message, ...change });
  }

  #page(rows: Message[]) {
    const page = rows.slice(-pageSize);
    return { rows: page, cursor: page[0]?.id ?? null, hasOlder: rows.length > page.length };
  }

  /** The state is read a little after its position, or long after. */
  load(behind: number): void {
    const position = Math.max(this.events.length - (behind % 4), 0);
    this.state = withState(this.state, { channel, viewer: me, page: this.#page(this.list) });
    this.told = position;
  }

  tell(): void {
    if (this.told === null || this.told >= this.events.length) return;
    this.state = withEvent(this.state, this.events[this.told]!);
    this.told += 1;
  }

  /** It reaches the server at once, or is refused on its way; the answer comes when it comes. */
  send(isRefused: boolean): void {
    const clientId = `client ${this.sent.size}`;
    this.sent.add(clientId);
    const sending = {
      clientId,
      body: 'first',
      data: null,
      replyToId: null,
      createdAt: '',
      error: null,
      answer: null,
    };
    this.state = withSending(this.state, sending);
    this.#reach(clientId, isRefused);
  }

  retry(pick: number): void {
    const failed = this.state.sendings.filter(({ error }) => error);
    const sending = failed[pick % Math.max(failed.length, 1)];
    if (!sending) return;
    this.state = withRetry(this.state, sending.clientId);
    this.#reach(sending.clientId, false);
  }

  #reach(clientId: string, isRefused: boolean): void {
    if (isRefused) {
      this.answers.push(() => {
        this.state = withRefusal(this.state, clientId, new Error('refused'));
      });
      return;
    }
    const message = this.write(me, clientId);
    this.answers.push(() => {
      this.state = withAnswer(this.state, clientId, message);
    });
  }

  answer(pick: number): void {
    const [answer] = this.answers.splice(pick % Math.max(this.answers.length, 1), 1);
    answer?.();
  }

  /** A page is read, and some of the stream may be told before it arrives. */
  older(events: number): void {
    const { cursor, hasOlder } = this.state.window;
    if (!hasOlder || this.told === null) return;
    const page = this.#page(this.list.filter(({ id }) => id < cursor!));
    for (let event = 0; event < events % 4; event += 1) this.tell();
    this.state = withOlderPage(this.state, page);
  }

  /** How often each of the viewer's own sendings is shown. */
  get shown(): string[] {
    const own = messagesOf(this.state).filter(({ sender }) => sender?.id === me.id);
    return [...own.map(({ clientId }) => clientId!), ...this.state.sendings.map(({ clientId }) => clientId)];
  }

  settle(): void {
    if (this.told === null) this.load(0);
    while (this.answers.length > 0) this.answer(0);
    while (this.state.sendings.some(({ error }) => error)) {
      this.retry(0);
      while (this.answers.length > 0) this.answer(0);
    }
    while (this.told! < this.events.length) this.tell();
  }
}

const steps = someOf(
  record({
    what: constantFrom(
      ...(['send', 'send', 'refused', 'retry', 'answer', 'answer', 'tell', 'tell', 'tell'] as const),
      ...(['other', 'copy', 'edit', 'delete', 'older', 'load'] as const),
    ),
    pick: integer({ min: 0, max: 11 }),
  }),
  { maxLength: 60 },
);

function take(world: World, what: string, pick: number): void {
  if (what === 'send') world.send(false);
  if (what === 'refused') world.send(true);
  if (what === 'retry') world.retry(pick);
  if (what === 'answer') world.answer(pick);
  if (what === 'tell') world.tell();
  if (what === 'other') world.write(other, null);
  // Somebody else may choose the same `clientId`.
  if (what === 'copy') world.write(other, `client ${pick}`);
  if (what === 'edit') world.change(pick, { body: `edited ${pick}`, editedAt: 'now' });
  if (what === 'delete') world.change(pick, { body: '', deletedAt: 'now' });
  if (what === 'older') world.older(pick);
  if (what === 'load') world.load(pick);
}

describe('a channel', () => {
  test('shows what the server has, in whichever order answers, events and pages come', () => {
    assert(
      property(steps, (taken) => {
        const world = new World();
        for (const { what, pick } of taken) {
          take(world, what, pick);
          expect(world.shown).toEqual([...new Set(world.shown)]);
        }
        world.settle();
        const { oldest, hasOlder } = world.state.window;
        const expected = world.list.filter(({ id }) => !hasOlder || id >= oldest!);
        expect(messagesOf(world.state)).toEqual(expected);
        expect(world.state.sendings).toEqual([]);
        while (world.state.window.hasOlder) world.older(0);
        expect(messagesOf(world.state)).toEqual(world.list);
      }),
      { numRuns: 2_000 },
    );
  });

  test('shows each sending once from the moment on at which it was sent, until it is discarded', () => {
    assert(
      property(steps, (taken) => {
        const world = new World();
        world.load(0);
        const live = taken.filter(({ what }) => what !== 'load');
        for (const { what, pick } of live) {
          take(world, what, pick);
          expect([...world.shown].sort()).toEqual([...world.sent].sort());
        }
        world.settle();
        world.send(true);
        world.answer(0);
        const failed = world.state.sendings[0]!;
        expect(failed.error?.message).toBe('refused');
        expect(withoutSending(world.state, failed.clientId).sendings).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });
});
