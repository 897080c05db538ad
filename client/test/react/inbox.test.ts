import { describe, expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { type Notification, useInbox, useUnreadCount } from '../../src/react/index.ts';
import { page } from '../support/page.ts';
import { site } from '../support/site.ts';

const there = site();
const { draw } = page();

const notify = (userId: string, titles: string[], more: object = {}) =>
  there.server.ask(
    'mailer',
    'mutation ($inputs: [SendNotificationInput!]!) { sendNotifications(inputs: $inputs) { id } }',
    { inputs: titles.map((title) => ({ userId, title, message: 'There you are', ...more })) },
    ['service'],
  );
const mark = (userId: string, id: string, read: boolean) =>
  there.server.ask(userId, `mutation { markNotificationRead(id: "${id}", read: ${read}) { id } }`);
const numbered = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1));

/** What the server answers to who asks now: the newest, and how many are unread. */
async function stored(userId: string, filter = '') {
  const { newest, unread } = await there.server.ask(
    userId,
    `{ newest: notifications(first: 100, filter: { ${filter} }) { edges { node { id isRead } } }
       unread: notifications(first: 1, filter: { isRead: false ${filter} }) { totalCount } }`,
  );
  const notifications = newest.edges.map(({ node }: { node: { id: string; isRead: boolean } }) => node);
  return { notifications, unreadCount: unread.totalCount as number };
}

const seenOf = ({
  notifications,
  unreadCount,
}: {
  notifications: readonly Notification[];
  unreadCount: number;
}) => ({
  notifications: notifications.map(({ id, isRead }) => ({ id, isRead })),
  unreadCount,
});

describe('an inbox', () => {
  test('shows what arrives, newest first, and the sender learns that it was delivered', async () => {
    await there.server.ask('ann', '{ viewer { id } }');
    await notify('ann', ['one', 'two']);
    const seen = draw(there.client('ann'), () => useInbox());
    const count = draw(there.client('ann'), () => useUnreadCount());
    await eventually(() =>
      expect(seen.value.notifications.map(({ title }) => title)).toEqual(['two', 'one']),
    );
    await notify('ann', ['three']);
    await eventually(() => expect(seen.value.notifications[0]!.title).toBe('three'));
    await eventually(() => expect([seen.value.unreadCount, count.value]).toEqual([3, 3]));
    const undelivered = "select from notifications where title = 'three' and delivered_at is null";
    await eventually(async () => expect(await there.server.sql(undelivered)).toEqual([]));
  });

  test('is the same in two tabs and on the server, whoever marks what, also across cuts', async () => {
    await there.server.ask('bob', '{ viewer { id } }');
    await notify('bob', numbered(30));
    const tabs = [there.client('bob'), there.client('bob')].map((client) => ({
      inbox: draw(client, () => useInbox({ first: 50 })),
      badge: draw(client, () => useUnreadCount()),
    }));
    for (const { inbox } of tabs) await eventually(() => expect(inbox.value.unreadCount).toBe(30));
    const markings: Promise<void>[] = [];
    for (let turn = 0; turn < 60; turn += 1) {
      const { inbox } = tabs[turn % 2]!;
      const { notifications } = inbox.value;
      const { id } = notifications[(turn * 7) % notifications.length]!;
      markings.push(inbox.value.markRead(id, turn % 5 !== 0));
      if (turn % 9 === 0) await mark('bob', notifications[turn % 11]!.id, turn % 2 === 0);
      if (turn % 10 === 0) await notify('bob', [`more ${turn}`]);
      if (turn === 30) there.wire.cut();
    }
    await Promise.all(markings);
    const truth = await stored('bob');
    for (const { inbox, badge } of tabs) {
      await eventually(() => expect(seenOf(inbox.value)).toEqual(truth));
      expect(badge.value).toBe(truth.unreadCount);
      expect(inbox.value.error).toBeNull();
    }
  });

  test('counts more unread ones than it has read, and marks them all', async () => {
    await there.server.ask('cat', '{ viewer { id } }');
    await notify('cat', numbered(130));
    const client = there.client('cat');
    const inbox = draw(client, () => useInbox({ first: 10 }));
    await eventually(() => expect(inbox.value.unreadCount).toBe(130));
    await notify('cat', ['another', 'and another']);
    await eventually(() => expect(inbox.value.unreadCount).toBe(132));
    await mark('cat', inbox.value.notifications[9]!.id, true);
    await eventually(() => expect(inbox.value.unreadCount).toBe(131));
    expect(inbox.value).toMatchObject({ hasMore: true });
    await inbox.value.loadMore();
    await eventually(() => expect(inbox.value.notifications).toHaveLength(22));
    const oldest = (await stored('cat')).notifications.at(-1)!;
    await mark('cat', oldest.id, true);
    await eventually(() => expect(inbox.value.unreadCount).toBe(130));
    await inbox.value.markAllRead();
    await eventually(() => expect(inbox.value.unreadCount).toBe(0));
    expect((await stored('cat')).unreadCount).toBe(0);
  });

  test('of one category has no other, neither in its list nor in its count', async () => {
    await there.server.ask('dan', '{ viewer { id } }');
    await notify('dan', ['news'], { category: 'news' });
    const inbox = draw(there.client('dan'), () => useInbox({ category: 'alerts' }));
    await eventually(() => expect(inbox.value.loading).toBe(false));
    await notify('dan', ['more news'], { category: 'news' });
    await notify('dan', ['alert'], { category: 'alerts' });
    await eventually(() => expect(inbox.value.notifications.map(({ title }) => title)).toEqual(['alert']));
    expect(inbox.value.unreadCount).toBe(1);
  });

  test('shows what is too large for an event, and follows it', async () => {
    await there.server.ask('eve', '{ viewer { id } }');
    const inbox = draw(there.client('eve'), () => useInbox());
    await eventually(() => expect(inbox.value.loading).toBe(false));
    await notify('eve', ['long'], { message: 'x'.repeat(9_000), data: { text: 'y'.repeat(20_000) } });
    await eventually(() => expect(inbox.value.notifications[0]!.message).toHaveLength(9_000));
    expect(inbox.value.notifications[0]!.data).toEqual({ text: 'y'.repeat(20_000) });
    await mark('eve', inbox.value.notifications[0]!.id, true);
    await eventually(() => expect(inbox.value).toMatchObject({ unreadCount: 0, error: null }));
  });

  test('lets go of what expires, without being told', async () => {
    await there.server.ask('fay', '{ viewer { id } }');
    const inbox = draw(there.client('fay'), () => useInbox());
    await eventually(() => expect(inbox.value.loading).toBe(false));
    await notify('fay', ['soon over'], { expiresAt: new Date(Date.now() + 2_500).toISOString() });
    await eventually(() => expect(inbox.value.unreadCount).toBe(1));
    await eventually(() => expect(seenOf(inbox.value)).toEqual({ notifications: [], unreadCount: 0 }));
  });

  test('marks all also when it has not been read itself', async () => {
    await there.server.ask('hal', '{ viewer { id } }');
    await notify('hal', ['one', 'two', 'three']);
    const inbox = draw(there.client('hal'), () => useInbox());
    await inbox.value.markAllRead();
    await eventually(() =>
      expect(inbox.value).toMatchObject({ loading: false, unreadCount: 0, error: null }),
    );
    expect((await stored('hal')).unreadCount).toBe(0);
  });

  test('takes back a marking that is refused', async () => {
    await there.server.ask('gil', '{ viewer { id } }');
    await notify('gil', ['mine']);
    const inbox = draw(there.client('gil'), () => useInbox());
    await eventually(() => expect(inbox.value.notifications).toHaveLength(1));
    await inbox.value.markRead('00000000-0000-0000-0000-000000000000');
    await eventually(() => expect(inbox.value.error).toMatchObject({ code: 'NOT_FOUND' }));
    expect(inbox.value.unreadCount).toBe(1);
    await inbox.value.markRead(inbox.value.notifications[0]!.id);
    await eventually(() => expect(inbox.value).toMatchObject({ unreadCount: 0, error: null }));
  });
});
