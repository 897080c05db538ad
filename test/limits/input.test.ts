import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';
import { answerTo, wires } from '../support/wires.ts';

const service = { userId: 'robot', roles: ['service'] } as const;
const admin = { userId: 'root', roles: ['admin'] } as const;

/** Names that say something to a database, a shell, a browser or JavaScript. */
const names = [
  `'; drop table users; --`,
  `" or ""="`,
  `$1`,
  `\\'; select pg_sleep(10) --`,
  `/* */ union select 1`,
  'a\u0000b',
  '\ud800',
  '../../etc/passwd',
  '<script>alert(1)</script>',
  '__proto__',
  'constructor',
  '',
  'ı𝒸ḣ\u202e',
  'x'.repeat(50_000),
];

/** Every place of the schema that takes a name, with the roles that may use it. */
const places: readonly [string, string][] = [
  ['user', 'query ($x: ID!) { found: user(id: $x) { id } }'],
  ['channel', 'query ($x: String!) { found: channel(name: $x) { id } }'],
  ['notification', 'query ($x: ID!) { found: notification(id: $x) { id } }'],
  ['a cursor of channels', 'query ($x: String!) { channels(after: $x) { edges { cursor } } }'],
  ['a cursor of notifications', 'query ($x: String!) { notifications(before: $x) { edges { cursor } } }'],
  ['joinChannel', 'mutation ($x: String!) { joinChannel(name: $x) { id } }'],
  ['leaveChannel', 'mutation ($x: String!) { leaveChannel(name: $x) { id } }'],
  ['createChannel', 'mutation ($x: String!) { createChannel(input: { name: $x }) { id } }'],
  // What was a good name after all is gone again.
  ['deleteChannel', 'mutation ($x: String!) { deleteChannel(name: $x) }'],
  ['a member to add', 'mutation ($x: ID!) { addChannelMember(channel: "general", userId: $x) { id } }'],
  [
    'a channel to send to',
    'mutation ($x: String!) { sendMessage(input: { channel: $x, body: "b" }) { id } }',
  ],
  [
    'replyToId',
    'mutation ($x: ID!) { sendMessage(input: { channel: "general", body: "b", replyToId: $x }) { id } }',
  ],
  ['editMessage', 'mutation ($x: ID!) { editMessage(id: $x, body: "b") { id } }'],
  ['deleteMessage', 'mutation ($x: ID!) { deleteMessage(id: $x) { id } }'],
  [
    'a recipient',
    'mutation ($x: ID!) { sendNotification(input: { userId: $x, title: "t", message: "m" }) { id } }',
  ],
  [
    'a type of notification',
    'mutation ($x: String!) { sendNotification(input: { userId: "ada", title: "t", message: "m", type: $x }) { id } }',
  ],
  ['markNotificationRead', 'mutation ($x: ID!) { markNotificationRead(id: $x) { id } }'],
  ['a type of event', 'mutation ($x: String!) { emitEvent(input: { type: $x, payload: 1 }) }'],
  [
    'a recipient of an event',
    'mutation ($x: ID!) { emitEvent(input: { type: "a", payload: 1, recipients: [{ userId: $x }] }) }',
  ],
  [
    'a connection',
    'mutation ($x: ID!) { emitEvent(input: { type: "a", payload: 1, ephemeral: true, recipients: [{ connectionId: $x }] }) }',
  ],
  ['disconnect', 'mutation ($x: ID!) { disconnect(userId: $x) }'],
  ['blockUser', 'mutation ($x: ID!) { blockUser(id: $x) { id } }'],
  ['a table', 'mutation ($x: String!) { watchModel(input: { table: $x, audience: EVERYONE }) { id } }'],
  [
    'a name of a model',
    'mutation ($x: String!) { watchModel(input: { table: "orders", name: $x, audience: EVERYONE }) { id } }',
  ],
  [
    'a column',
    'mutation ($x: String!) { watchModel(input: { table: "orders", columns: [$x], audience: EVERYONE }) { id } }',
  ],
  [
    'a key',
    'mutation ($x: String!) { watchModel(input: { table: "orders", primaryKey: $x, audience: EVERYONE }) { id } }',
  ],
  [
    'an audience column',
    'mutation ($x: String!) { watchModel(input: { table: "orders", audienceColumn: $x, audience: OWNER }) { id } }',
  ],
  ['unwatchModel', 'mutation ($x: String!) { unwatchModel(name: $x) }'],
];

const subscriptions: readonly [string, string, (name: string) => unknown][] = [
  ['channel', 'subscription ($x: String!) { channelMessage(channel: $x) { id } }', (name) => name],
  ['position', 'subscription ($x: Position) { eventReceived(after: $x) { id } }', (name) => name],
  ['model', 'subscription ($x: String!) { modelUpdated(model: $x) { recordId } }', (name) => name],
  [
    'column of `where`',
    'subscription ($x: JSON) { modelUpdated(model: "User", where: $x) { recordId } }',
    (name) => JSON.parse(`{${JSON.stringify(name)}:1}`),
  ],
  [
    'many types',
    'subscription ($x: [String!]) { eventReceived(types: $x) { id } }',
    (name) => Array.from({ length: 101 }, () => name.slice(0, 100)),
  ],
  [
    'many categories',
    'subscription ($x: [String!]) { notificationReceived(categories: $x) { id } }',
    (name) => Array.from({ length: 101 }, () => name.slice(0, 100)),
  ],
];

const expected = ['NOT_FOUND', 'BAD_USER_INPUT', 'LIMIT_EXCEEDED'];

describe('what clients say', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('postgres', {
      OPERATION_RATE_PER_USER: '100000/1m',
      CONNECTION_RATE_PER_IP: '100000/1m',
    });
    await server.ask('root', 'mutation { createChannel(input: { name: "general" }) { id } }', {}, ['admin']);
    await server.ask('ada', '{ viewer { id } }');
    await server.sql('create table orders (id int primary key)');
  });
  afterAll(() => server.close());

  test.each(places)('is no statement as the name of %s', async (_place, query) => {
    for (const x of names) {
      const { data, errors } = await server.run(admin.userId, query, { x }, admin.roles);
      if (errors) expect(expected).toContain(errors[0]!.extensions.code);
      else expect([null, undefined]).toContain(data.found);
    }
    expect(await server.sql('select count(*)::int as users from users')).not.toEqual([{ users: 0 }]);
  });

  describe.each(['SSE', 'WebSocket'] as const)('over %s', (wire) => {
    test.each(subscriptions)('is refused as a %s', async (_place, query, of) => {
      for (const name of names) {
        const { errors } = await answerTo(server, wire, { query, variables: { x: of(name) } });
        expect(expected).toContain(errors![0]!.extensions.code);
      }
    });
  });

  describe.each(wires)('over %s', (wire) => {
    const emit = 'mutation ($p: JSON!) { emitEvent(input: { type: "told", payload: $p }) }';
    const stored = async () =>
      (
        await server.sql(
          "select payload::text as text from realtime_events where event_type = 'told' order by position desc limit 1",
        )
      )[0];

    test('keys of JSON that JavaScript knows are kept as they are, and change nothing', async () => {
      const text = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}';
      const asked = { query: emit, variables: { p: JSON.parse(text) } };
      const { data, errors } = await answerTo(server, wire, asked, service);
      expect(errors).toBeUndefined();
      const found = async () => String((await stored())?.text).replaceAll(' ', '');
      await expect.poll(found).toContain('"__proto__":{"polluted":1}');
      expect(data.emitEvent).toEqual(expect.any(String));
      expect(({} as { polluted?: number }).polluted).toBeUndefined();
    });

    test.each([
      ['variables', JSON.parse('{"__proto__":{"p":1},"p":1}'), {}],
      ['extensions', { p: 1 }, JSON.parse('{"__proto__":{"after":"x"},"constructor":{"after":"x"}}')],
    ])('such keys in %s mean nothing', async (_where, variables, extensions) => {
      const { errors } = await answerTo(server, wire, { query: emit, variables, extensions }, service);
      expect(errors).toBeUndefined();
    });

    test('such names of variables, aliases and fragments are names', async () => {
      const query = `query ($__proto__: ID, $constructor: ID!) { __proto__: user(id: $constructor) { ...constructor } a: viewer { id @skip(if: false) } ...__proto__ }
        fragment constructor on User { toString: id } fragment __proto__ on Query { hasOwnProperty: user(id: $constructor) { id } u: user(id: "x") { id } }`;
      const variables = JSON.parse('{"__proto__":"ada","constructor":"ada"}');
      const { errors } = await answerTo(server, wire, { query, variables });
      expect(errors).toMatchObject([{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }]);
      const used = query.replace('$__proto__: ID, ', '');
      expect((await answerTo(server, wire, { query: used, variables })).data.hasOwnProperty).toEqual({
        id: 'ada',
      });
    });

    test.each([
      ['HTML', '<img src=x onerror=alert(1)>&amp;"\''],
      ['control characters', 'a\u0007b\u001b[31mc\r\nd: e'],
    ])('%s is stored as it was given', async (_what, body) => {
      const query =
        'mutation ($body: String!) { sendMessage(input: { channel: "general", body: $body }) { body } }';
      const given = `${wire} ${body}`;
      const { data } = await answerTo(server, wire, { query, variables: { body: given } }, service);
      expect(data.sendMessage.body).toBe(given);
      expect(await server.sql('select body from messages order by id desc limit 1')).toEqual([
        { body: given },
      ]);
    });

    test.each([
      ['a NUL', 'a\u0000'],
      ['half a character', '\ud800'],
    ])('%s is refused', async (_what, body) => {
      const query =
        'mutation ($body: String!) { sendMessage(input: { channel: "general", body: $body }) { body } }';
      const { errors } = await answerTo(server, wire, { query, variables: { body } }, service);
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    });

    test('JSON of many levels is refused by the field', async () => {
      const deep = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
      for (const levels of [40, 1_000]) {
        const { errors } = await answerTo(
          server,
          wire,
          { query: emit, variables: { p: deep(levels) } },
          service,
        );
        expect(errors).toMatchObject([{ extensions: { code: 'LIMIT_EXCEEDED' } }]);
      }
    });
  });

  describe('that is too much to read', () => {
    const bombs = [
      '['.repeat(400_000) + ']'.repeat(400_000),
      `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
      `[${'[],'.repeat(250_000)}1]`,
    ];
    const request = (value: string) => `{"query":"{ position }","variables":{"x":${value}}}`;

    test.each(['application/json', 'text/event-stream'])(
      'is refused with 413 over HTTP, %s',
      async (accept) => {
        const headers = {
          accept,
          'content-type': 'application/json',
          authorization: `Bearer ${await server.token('ada')}`,
        };
        for (const bomb of bombs) {
          const response = await fetch(`${server.url}/graphql`, {
            method: 'POST',
            headers,
            body: request(bomb),
          });
          expect(response.status).toBe(413);
          expect((await response.json()).errors[0].extensions.code).toBe('LIMIT_EXCEEDED');
        }
      },
    );

    test('ends no socket where it says which operation it is, and one where it does not', async () => {
      const socket = await server.socket('ada');
      for (const [index, bomb] of bombs.entries()) {
        const stream = socket.run({ query: '{ position }' }, `bomb "${index}"`);
        await stream.next();
        const again = socket.run({ query: '{ x }' }, `other ${index}`);
        await again.frame();
        socket.socket.send(`{"id":"other ${index}","type":"subscribe","payload":${request(bomb)}}`);
        expect(await again.frame()).toMatchObject({
          type: 'error',
          payload: [{ extensions: { code: 'LIMIT_EXCEEDED' } }],
        });
      }
      socket.socket.send(`{"type":"ping","payload":${request(bombs[0]!)}}`);
      expect(await socket.closed).toMatchObject({ code: 4400 });
    });
  });

  describe('in subscriptions', () => {
    const page = 'messages(first: 100) { edges { node { id body } } }';
    const dear = `subscription { channelMessage(channel: "general") { a: channel { ${page} } b: channel { ${page} } ${Array.from({ length: 20 }, (_, at) => `c${at}: channel { ${page} }`).join(' ')} } }`;
    const half = `subscription { channelMessage(channel: "general") { ${Array.from({ length: 12 }, (_, at) => `c${at}: channel { ${page} }`).join(' ')} } }`;

    test.each(['SSE', 'WebSocket'] as const)(
      'is refused over %s where one event costs too much',
      async (wire) => {
        const { errors } = await answerTo(server, wire, { query: dear });
        expect(errors).toMatchObject([{ extensions: { code: 'LIMIT_EXCEEDED' } }]);
      },
    );

    test('costs together, until one is left', async () => {
      const socket = await server.socket('ada');
      const first = socket.run({ query: half });
      await socket.run({ query: '{ position }' }).next();
      const second = await socket.run({ query: half }).frame();
      expect(second).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'LIMIT_EXCEEDED' } }] });
      first.leave();
      const third = socket.run({ query: half });
      await socket.run({ query: '{ position }' }).next();
      expect(third.waiting).toEqual([]);
      await socket.close();
    });
  });
});
