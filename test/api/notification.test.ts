import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const fields = `__typename id type category title message priority data url actions { label url } actor { id }
  isRead readAt expiresAt createdAt updatedAt`;
const send = `mutation Send($input: SendNotificationInput!) { sendNotification(input: $input) { ${fields} } }`;
const sendAll = `mutation SendAll($inputs: [SendNotificationInput!]!) { sendNotifications(inputs: $inputs) { ${fields} } }`;
const mark = `mutation Mark($id: ID!, $read: Boolean) { markNotificationRead(id: $id, read: $read) { ${fields} } }`;
const find = `query Find($id: ID!) { notification(id: $id) { ${fields} } }`;
const list = `query List($filter: NotificationFilter) { notifications(filter: $filter, first: 100) { totalCount edges { node { ${fields} } } } }`;

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const unknownId = '0198c0de-0000-7000-8000-000000000000';

describe.each(databases)('a notification on %s', (kind) => {
  let server: TestServer;
  let count = 0;

  beforeAll(async () => {
    server = await testServer(kind);
  });
  afterAll(() => server.close());

  /** A user without notifications. */
  async function freshUser(): Promise<string> {
    count += 1;
    await server.ask(`user-${count}`, '{ viewer { id } }');
    return `user-${count}`;
  }

  const inputFor = (userId: string, input: object = {}) => ({
    userId,
    title: 'Title',
    message: 'Message',
    ...input,
  });

  async function sent(userId: string, input: object = {}) {
    const variables = { input: inputFor(userId, input) };
    return (await server.ask('root', send, variables, ['service'])).sendNotification;
  }

  async function sentAll(inputs: object[]) {
    return (await server.ask('root', sendAll, { inputs }, ['service'])).sendNotifications;
  }

  async function outcome(...request: Parameters<TestServer['run']>): Promise<string> {
    return (await server.run(...request)).errors?.[0]?.extensions.code ?? 'yes';
  }

  const refusal = (userId: string, input: object) =>
    outcome('root', send, { input: inputFor(userId, input) }, ['service']);

  async function listOf(userId: string, filter: object = {}): Promise<any[]> {
    const { notifications } = await server.ask(userId, list, { filter });
    return notifications.edges.map(({ node }: { node: object }) => node);
  }

  test('has its defaults where nothing else is said', async () => {
    const user = await freshUser();

    expect(await sent(user)).toEqual({
      __typename: 'Notification',
      id: expect.any(String),
      type: 'info',
      category: 'general',
      title: 'Title',
      message: 'Message',
      priority: 'NORMAL',
      data: null,
      url: null,
      actions: [],
      actor: null,
      isRead: false,
      readAt: null,
      expiresAt: null,
      createdAt: instant,
      updatedAt: instant,
    });
  });

  test('has everything it was sent with, read alone and in the list', async () => {
    const [user, actor] = [await freshUser(), await freshUser()];
    const said = {
      type: 'order.paid',
      category: 'orders',
      priority: 'URGENT',
      data: { order: 5 },
      url: '/orders/5',
      actions: [{ label: 'Open', url: 'https://example.com/orders/5' }],
      expiresAt: '2999-01-02T03:04:05.678Z',
    };
    const notification = await sent(user, { ...said, actorId: actor });

    expect(notification).toMatchObject({ ...said, actor: { id: actor } });
    expect((await server.ask(user, find, { id: notification.id })).notification).toEqual(notification);
    expect(await listOf(user)).toEqual([notification]);
  });

  test('is told to its recipient alone', async () => {
    const [user, other] = [await freshUser(), await freshUser()];
    const socket = await server.socket(user);
    const query = 'subscription { notificationReceived { id } }';
    const stream = socket.run({ query });
    await socket.run({ query: '{ viewer { id } }' }).next();
    await sent(other);
    const { id } = await sent(user);

    expect((await stream.next()).data.notificationReceived).toEqual({ id });
    await socket.close();
  });

  test('is told to those who filter only where it fits', async () => {
    const user = await freshUser();
    const socket = await server.socket(user);
    const query =
      'subscription { notificationReceived(types: ["a"], categories: ["x", "y"]) { type category } }';
    const stream = socket.run({ query });
    await socket.run({ query: '{ viewer { id } }' }).next();
    await sentAll([
      inputFor(user, { type: 'a', category: 'z' }),
      inputFor(user, { type: 'b', category: 'x' }),
      inputFor(user, { type: 'a', category: 'y' }),
    ]);

    expect((await stream.next()).data.notificationReceived).toEqual({ type: 'a', category: 'y' });
    await socket.close();
  });

  test.each(['text', '123', '"quoted"', '', 5, 0, true, false, [], {}, [null, { a: [1] }]])(
    'with the data %j keeps it unchanged, live and read again',
    async (data) => {
      const user = await freshUser();
      const stream = await server.events(user, { query: 'subscription { notificationReceived { data } }' });
      await stream.opened;

      expect((await sent(user, { data })).data).toEqual(data);
      expect((await listOf(user))[0].data).toEqual(data);
      expect((await stream.stream.next()).data.notificationReceived.data).toEqual(data);
      stream.cut();
    },
  );

  describe('that is sent', () => {
    test.each([
      ['an empty title', { title: '' }, 'BAD_USER_INPUT'],
      ['a title of 201 characters', { title: 'x'.repeat(201) }, 'LIMIT_EXCEEDED'],
      ['an empty message', { message: ' ' }, 'BAD_USER_INPUT'],
      ['a message of 10,001 characters', { message: 'x'.repeat(10_001) }, 'LIMIT_EXCEEDED'],
      ['a NUL character in the message', { message: 'a\u0000' }, 'BAD_USER_INPUT'],
      ['a type that is none', { type: 'Order Paid' }, 'BAD_USER_INPUT'],
      ['a type of 51 characters', { type: 'x'.repeat(51) }, 'BAD_USER_INPUT'],
      ['an empty category', { category: '' }, 'BAD_USER_INPUT'],
      ['data of more than 65,536 bytes', { data: 'x'.repeat(65_536) }, 'LIMIT_EXCEEDED'],
      ['data of 40 levels', { data: JSON.parse('['.repeat(40) + ']'.repeat(40)) }, 'LIMIT_EXCEEDED'],
      ['a NUL character in the data', { data: ['\u0000'] }, 'BAD_USER_INPUT'],
      ['a url of 2,049 characters', { url: `/${'x'.repeat(2_048)}` }, 'LIMIT_EXCEEDED'],
      ['a url that is a script', { url: 'javascript:alert(1)' }, 'BAD_USER_INPUT'],
      ['a url that is a script behind white space', { url: ' JavaScript:alert(1)' }, 'BAD_USER_INPUT'],
      ['a url that is a script with a tab in it', { url: 'java\tscript:alert(1)' }, 'BAD_USER_INPUT'],
      ['a url that is a script with a line break in it', { url: 'javascript\n:alert(1)' }, 'BAD_USER_INPUT'],
      [
        'a url that is a script behind a control character',
        { url: '\u0001javascript:alert(1)' },
        'BAD_USER_INPUT',
      ],
      [
        'an action that is a script',
        { actions: [{ label: 'Open', url: 'javascript:alert(1)' }] },
        'BAD_USER_INPUT',
      ],
      ['an action without a label', { actions: [{ label: '', url: '/' }] }, 'BAD_USER_INPUT'],
      [
        'eleven actions',
        { actions: Array.from({ length: 11 }, () => ({ label: 'a', url: '/' })) },
        'LIMIT_EXCEEDED',
      ],
      ['an empty dedupeKey', { dedupeKey: '' }, 'BAD_USER_INPUT'],
      ['a dedupeKey of 201 characters', { dedupeKey: 'x'.repeat(201) }, 'LIMIT_EXCEEDED'],
      ['an expiry that is no instant', { expiresAt: 'tomorrow' }, 'BAD_USER_INPUT'],
      ['an expiry without an offset', { expiresAt: '2999-01-01T00:00:00' }, 'BAD_USER_INPUT'],
      ['an expiry that is no day', { expiresAt: '2999-13-01T00:00:00Z' }, 'BAD_USER_INPUT'],
      ['an expiry that is on no calendar', { expiresAt: '2999-02-30T00:00:00Z' }, 'BAD_USER_INPUT'],
      ['an expiry in the year 0', { expiresAt: '0000-01-01T00:00:00Z' }, 'BAD_USER_INPUT'],
      [
        'an expiry that is in the year 0 of UTC',
        { expiresAt: '0001-01-01T00:00:00+05:00' },
        'BAD_USER_INPUT',
      ],
      [
        'an expiry that is in the year 10000 of UTC',
        { expiresAt: '9999-12-31T23:59:59-05:00' },
        'BAD_USER_INPUT',
      ],
      ['an unknown user', { userId: 'nobody' }, 'NOT_FOUND'],
      ['an unknown actor', { actorId: 'nobody' }, 'NOT_FOUND'],
      ['an empty actor', { actorId: '' }, 'NOT_FOUND'],
    ])('with %s is refused with the right code', async (_title, input, code) => {
      const user = await freshUser();
      expect(await refusal(user, input)).toBe(code);
      expect(await listOf(user)).toEqual([]);
    });

    test.each([
      ['user', { userId: 'a\u0000b' }],
      ['actor', { actorId: 'a\u0000b' }],
    ])('with NUL characters in the %s is no failure of ours', async (_title, input) => {
      expect(await refusal(await freshUser(), input)).not.toMatch(/INTERNAL_SERVER_ERROR|yes/);
    });

    test('by role service or admin is taken, by anybody else FORBIDDEN', async () => {
      const user = await freshUser();
      const variables = { input: inputFor(user), inputs: [inputFor(user)] };

      expect(await outcome('root', send, variables, ['service'])).toBe('yes');
      expect(await outcome('root', send, variables, ['admin'])).toBe('yes');
      expect(await outcome(user, send, variables)).toBe('FORBIDDEN');
      expect(await outcome(user, sendAll, variables)).toBe('FORBIDDEN');
      expect(await listOf(user)).toHaveLength(2);
    });
  });

  describe('that is one of many', () => {
    test('is sent with all of them, answered in their order', async () => {
      const [user, other] = [await freshUser(), await freshUser()];
      const inputs = [
        inputFor(user, { title: 'a' }),
        inputFor(other, { title: 'b' }),
        inputFor(user, { title: 'c' }),
      ];

      expect((await sentAll(inputs)).map(({ title }: { title: string }) => title)).toEqual(['a', 'b', 'c']);
      expect((await listOf(user)).map(({ title }) => title)).toEqual(['c', 'a']);
    });

    test.each([
      ['for nobody', { userId: 'nobody' }, 'NOT_FOUND'],
      ['without a title', { title: '' }, 'BAD_USER_INPUT'],
      ['too long', { message: 'x'.repeat(10_001) }, 'LIMIT_EXCEEDED'],
    ])('is not sent when another is %s', async (_title, input, code) => {
      const user = await freshUser();
      const inputs = [inputFor(user), inputFor(user, input), inputFor(user)];

      expect(await outcome('root', sendAll, { inputs }, ['service'])).toBe(code);
      expect(await listOf(user)).toEqual([]);
    });

    test('may be one of 1,000, not of none and not of 1,001', async () => {
      const user = await freshUser();
      const inputs = Array.from({ length: 1_001 }, () => inputFor(user));
      const send = (most: number) =>
        outcome('root', sendAll.replace(fields, 'id'), { inputs: inputs.slice(0, most) }, ['service']);

      expect(await send(1_000)).toBe('yes');
      expect(await send(1_001)).toBe('BAD_USER_INPUT');
      expect(await send(0)).toBe('BAD_USER_INPUT');
      expect(
        (await server.ask(user, '{ notifications(first: 1) { totalCount } }')).notifications.totalCount,
      ).toBe(1_000);
    });
  });

  describe('with a dedupeKey', () => {
    test('is created once: sending it again answers with the first', async () => {
      const user = await freshUser();
      const first = await sent(user, { dedupeKey: 'once', title: 'first' });

      expect(await sent(user, { dedupeKey: 'once', title: 'second' })).toEqual(first);
      expect(await listOf(user)).toEqual([first]);
    });

    test('is another for another recipient', async () => {
      const [user, other] = [await freshUser(), await freshUser()];
      const ids = [
        (await sent(user, { dedupeKey: 'same' })).id,
        (await sent(other, { dedupeKey: 'same' })).id,
      ];
      expect(new Set(ids).size).toBe(2);
    });

    test('is one of those that are sent together', async () => {
      const user = await freshUser();
      await sent(user, { dedupeKey: 'earlier', title: 'earlier' });
      const titles = (
        await sentAll([
          inputFor(user, { dedupeKey: 'earlier', title: 'too late' }),
          inputFor(user, { dedupeKey: 'twice', title: 'first' }),
          inputFor(user, { dedupeKey: 'twice', title: 'second' }),
          inputFor(user, { title: 'without' }),
        ])
      ).map(({ title }: { title: string }) => title);

      expect(titles).toEqual(['earlier', 'first', 'first', 'without']);
      expect(await listOf(user)).toHaveLength(3);
    });

    test('is one of twenty that are sent at once, and told once', async () => {
      const user = await freshUser();
      const stream = await server.events(user, {
        query: 'subscription { notificationReceived { id title } }',
      });
      await stream.opened;
      const all = await Promise.all(Array.from({ length: 20 }, () => sent(user, { dedupeKey: 'at once' })));
      const last = await sent(user, { title: 'last' });

      expect(new Set(all.map(({ id }) => id)).size).toBe(1);
      expect(await listOf(user)).toHaveLength(2);
      const heard = (await stream.stream.take(2)).map(({ data }) => data.notificationReceived.id);
      expect(heard).toEqual([all[0].id, last.id]);
      stream.cut();
    });

    test('is created once by batches that hold the same ones in another order at once', async () => {
      const user = await freshUser();
      const inputs = Array.from({ length: 20 }, (_, index) => inputFor(user, { dedupeKey: `key ${index}` }));
      const batches = Array.from({ length: 10 }, (_, index) => (index % 2 ? inputs : inputs.toReversed()));
      await Promise.all(batches.map((batch) => sentAll(batch)));

      expect(await listOf(user)).toHaveLength(20);
    });

    test('stays the one it was after it was read', async () => {
      const user = await freshUser();
      const { id } = await sent(user, { dedupeKey: 'for good' });
      await server.ask(user, mark, { id });
      expect(await sent(user, { dedupeKey: 'for good' })).toMatchObject({ id, isRead: true });
    });
  });

  describe('in the list', () => {
    test('comes newest first, counted', async () => {
      const user = await freshUser();
      for (const title of ['a', 'b', 'c']) await sent(user, { title });
      const { notifications } = await server.ask(user, list);

      expect(notifications.totalCount).toBe(3);
      expect(notifications.edges.map(({ node }: { node: { title: string } }) => node.title)).toEqual([
        'c',
        'b',
        'a',
      ]);
    });

    test.each([
      ['by isRead true', { isRead: true }, ['b']],
      ['by isRead false', { isRead: false }, ['c', 'a']],
      ['by isRead null', { isRead: null }, ['c', 'b', 'a']],
      ['by types', { types: ['x', 'z'] }, ['c', 'a']],
      ['by categories', { categories: ['k'] }, ['b', 'a']],
      ['by everything', { isRead: false, types: ['x'], categories: ['k'] }, ['a']],
      ['by no type at all', { types: [] }, []],
      ['by a type with NUL characters', { types: ['\u0000'] }, []],
    ])('is filtered %s, and so is the count', async (_title, filter, titles) => {
      const user = await freshUser();
      await sent(user, { title: 'a', type: 'x', category: 'k' });
      const { id } = await sent(user, { title: 'b', type: 'y', category: 'k' });
      await sent(user, { title: 'c', type: 'z', category: 'l' });
      await server.ask(user, mark, { id });
      const { notifications } = await server.ask(user, list, { filter });

      expect(notifications.edges.map(({ node }: { node: { title: string } }) => node.title)).toEqual(titles);
      expect(notifications.totalCount).toBe(titles.length);
    });

    test('is not there once it has expired', async () => {
      const user = await freshUser();
      const { id } = await sent(user, { expiresAt: new Date(Date.now() + 500).toISOString() });

      await eventually(async () => expect(await listOf(user)).toEqual([]));
      expect((await server.ask(user, find, { id })).notification).toBeNull();
      expect((await server.ask(user, list)).notifications.totalCount).toBe(0);
    });
  });

  describe('of somebody else', () => {
    test('is not there: null to read, NOT_FOUND to mark', async () => {
      const [user, other] = [await freshUser(), await freshUser()];
      const { id } = await sent(user);

      expect((await server.ask(other, find, { id })).notification).toBeNull();
      expect(await listOf(other)).toEqual([]);
      expect(await outcome(other, mark, { id })).toBe('NOT_FOUND');
      expect((await listOf(user))[0].isRead).toBe(false);
    });

    test('may be marked by role service or admin', async () => {
      const user = await freshUser();
      const { id } = await sent(user);
      expect(await outcome('root', mark, { id }, ['service'])).toBe('yes');
      expect((await listOf(user))[0].isRead).toBe(true);
    });
  });

  describe('that is marked read', () => {
    test('says when, and again changes nothing', async () => {
      const user = await freshUser();
      const notification = await sent(user);
      const { markNotificationRead } = await server.ask(user, mark, { id: notification.id });

      expect(markNotificationRead).toEqual({
        ...notification,
        isRead: true,
        readAt: instant,
        updatedAt: instant,
      });
      expect(await server.ask(user, mark, { id: notification.id, read: true })).toEqual({
        markNotificationRead,
      });
    });

    test('can be marked unread', async () => {
      const user = await freshUser();
      const { id } = await sent(user);
      await server.ask(user, mark, { id });
      const { markNotificationRead } = await server.ask(user, mark, { id, read: false });
      expect(markNotificationRead).toMatchObject({ isRead: false, readAt: null });
    });

    test.each([
      ['a number that none has', unknownId],
      ['a word', 'notification'],
      ['a NUL character', '\u0000'],
    ])('by %s is NOT_FOUND', async (_title, id) => {
      const user = await freshUser();
      expect(await outcome(user, mark, { id })).toBe('NOT_FOUND');
      expect((await server.ask(user, find, { id })).notification).toBeNull();
    });
  });
});

test('An expiry is told as it was sent, also on a PostgreSQL of another time zone, and what has expired is not told live', async () => {
  const { url, drop } = await freshDatabase();
  const sql = postgres(url, { max: 1 });
  await sql.unsafe(`alter database ${new URL(url).pathname.slice(1)} set timezone to 'Asia/Tokyo'`);
  await sql.end();
  const server = await testServer('postgres', {}, url);
  const stream = await server.events('ada', { query: 'subscription { notificationReceived { expiresAt } }' });
  await stream.opened;

  const instants = ['0001-01-01T00:00:00.000Z', '1800-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'];
  const inputs = instants.map((expiresAt) => ({
    userId: 'ada',
    title: 'Title',
    message: 'Message',
    expiresAt,
  }));
  const { sendNotifications } = await server.ask('root', sendAll, { inputs }, ['service']);
  const sent = sendNotifications.map(({ expiresAt }: { expiresAt: string }) => expiresAt);
  expect(sent).toEqual(instants);
  const heard = (await stream.stream.next()).data.notificationReceived.expiresAt;
  expect(heard).toBe('9999-12-31T23:59:59.999Z');
  stream.cut();
  await server.close();
  await drop();
});
