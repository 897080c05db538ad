import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelStream } from '../support/model-stream.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const watch = 'mutation Watch($input: WatchModelInput!) { watchModel(input: $input) { id } }';
const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body }) { id } }';

describe.each(databases)('events of models on %s', (kind) => {
  let server: TestServer;
  let count = 0;

  beforeAll(async () => {
    server = await testServer(kind);
    for (const person of ['ada', 'bob']) await server.ask(person, '{ viewer { id } }');
    await server.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
  });
  afterAll(() => server.close());

  /** A table of one's own and the name of its model. */
  async function table(columns: string, audience: object = { audience: 'EVERYONE' }) {
    count += 1;
    const [name, model] = [`t${count}`, `Model${count}`];
    await server.sql(`create table ${name} (${columns})`);
    await server.ask('root', watch, { input: { table: name, name: model, ...audience } }, ['admin']);
    return { name, model };
  }

  test('tell what was inserted, changed and deleted, whatever statement did it', async () => {
    const { name, model } = await table('id int primary key, state text, note text');
    const stream = await ModelStream.open(server, 'ada', { model });
    await server.sql(
      `insert into ${name} values (1, 'new', 'a')`,
      `update ${name} set state = 'paid', note = note`,
      `insert into ${name} values (1, 'again', 'b') on conflict (id) do update set note = excluded.note`,
      `update ${name} set state = state`,
      `update ${name} set id = 2`,
      `delete from ${name}`,
    );
    const told = [];
    for (let index = 0; index < 6; index += 1) told.push(await stream.next());
    expect(
      told.map(({ action, recordId, membership, changed }) => [action, recordId, membership, changed]),
    ).toEqual([
      ['CREATED', '1', 'ENTERED', []],
      ['UPDATED', '1', 'STAYED', ['state']],
      ['UPDATED', '1', 'STAYED', ['note']],
      // A changed key is another row.
      ['DELETED', '1', 'LEFT', []],
      ['CREATED', '2', 'ENTERED', []],
      ['DELETED', '2', 'LEFT', []],
    ]);
    await stream.socket.close();
  });

  test('have whole numbers of 64 bits and decimals as text, instants in UTC, and JSON as it is', async () => {
    const { name, model } = await table(
      'id bigint primary key, price numeric(20,4), at timestamptz, doc jsonb, tags text[], ok boolean',
    );
    const stream = await ModelStream.open(server, 'ada', { model });
    await server.sql(
      `insert into ${name} values (9007199254740993, 12345678901234.5600, '2026-11-24T12:00:00+09:00', '{"a": [1, null]}', '{x,y}', true)`,
    );
    expect(await stream.next()).toMatchObject({
      recordId: '9007199254740993',
      record: null,
      data: {
        id: '9007199254740993',
        price: '12345678901234.5600',
        at: '2026-11-24T03:00:00+00:00',
        doc: { a: [1, null] },
        tags: ['x', 'y'],
        ok: true,
      },
    });
    await stream.socket.close();
  });

  test('of a key of several columns have their JSON array as their id', async () => {
    const { name, model } = await table('a bigint, b text, c int, primary key (a, b)');
    const stream = await ModelStream.open(server, 'ada', { model, ids: ['["1", "x,y"]', '["2","z"]'] });
    await server.sql(`insert into ${name} values (1, 'x,y', 1), (1, 'q', 2), (2, 'z', 3)`);
    expect((await stream.next()).recordId).toBe('["1","x,y"]');
    expect((await stream.next()).recordId).toBe('["2","z"]');
    await stream.socket.close();
  });

  test('are filtered by ids, by actions and by values, and a row that begins or ceases to match says so', async () => {
    const { name, model } = await table('id int primary key, state text, amount numeric');
    const [byId, byAction, byValue] = [
      await ModelStream.open(server, 'ada', { model, ids: ['2'] }),
      await ModelStream.open(server, 'ada', { model, actions: ['DELETED'] }),
      await ModelStream.open(server, 'ada', { model, where: { state: ['open', 'held'], amount: 1.5 } }),
    ];
    await server.sql(
      `insert into ${name} values (1, 'open', 1.50), (2, 'open', 2)`,
      `update ${name} set state = 'held' where id = 1`,
      `update ${name} set amount = 3 where id = 1`,
      `update ${name} set amount = 4 where id = 1`,
      `update ${name} set amount = 1.500`,
      `delete from ${name}`,
    );
    const take = async (stream: ModelStream, many: number) => {
      const told = [];
      while (told.length < many) told.push(await stream.next());
      return told.map(({ recordId, action, membership }) => `${recordId} ${action} ${membership}`);
    };
    expect(await take(byId, 3)).toEqual(['2 CREATED ENTERED', '2 UPDATED STAYED', '2 DELETED LEFT']);
    expect((await take(byAction, 2)).sort()).toEqual(['1 DELETED LEFT', '2 DELETED LEFT']);
    expect((await take(byValue, 7)).sort()).toEqual([
      '1 CREATED ENTERED',
      '1 DELETED LEFT',
      '1 UPDATED ENTERED',
      '1 UPDATED LEFT',
      '1 UPDATED STAYED',
      '2 DELETED LEFT',
      '2 UPDATED ENTERED',
    ]);
    for (const stream of [byId, byAction, byValue]) {
      expect(stream.waiting).toEqual([]);
      await stream.socket.close();
    }
  });

  test('are refused for filters that name no column to see, or no value of its type', async () => {
    const { model } = await table(
      'id int primary key, n int, big bigint, u uuid, at timestamptz, doc jsonb, secret text',
    );
    for (const where of [
      { nothing: 1 },
      { secret: 'x' },
      { n: '1' },
      { n: 1.5 },
      { n: { a: 1 } },
      { n: [[1]] },
      { big: 'x' },
      { big: 1.5 },
      { big: 2 ** 53 },
      { u: 'x' },
      { at: 'yesterday' },
      { doc: { a: 1 } },
      [1],
      'n = 1',
      { __proto__: null, constructor: 1 },
    ]) {
      const stream = await ModelStream.open(server, 'ada', { model, where });
      expect([where, await stream.code()]).toEqual([where, 'BAD_USER_INPUT']);
      await stream.socket.close();
    }
    const many = await ModelStream.open(server, 'ada', {
      model,
      where: { n: Array.from({ length: 101 }, (_, n) => n) },
    });
    expect(await many.code()).toBe('LIMIT_EXCEEDED');
    await many.socket.close();
  });

  test('of a row that changes hands tell the one that it left, without content, and the other that it entered', async () => {
    const { name, model } = await table('id int primary key, owner text, note text', {
      audience: 'OWNER',
      audienceColumn: 'owner',
      columns: ['id', 'note'],
    });
    const [ada, bob] = [
      await ModelStream.open(server, 'ada', { model }),
      await ModelStream.open(server, 'bob', { model }),
    ];
    await server.sql(
      `insert into ${name} values (1, 'ada', 'hers')`,
      `update ${name} set owner = 'bob', note = 'his'`,
    );
    expect(await ada.next()).toMatchObject({ action: 'CREATED', membership: 'ENTERED' });
    expect(await ada.next()).toMatchObject({
      action: 'UPDATED',
      membership: 'LEFT',
      data: null,
      changed: [],
    });
    expect(await bob.next()).toMatchObject({
      action: 'UPDATED',
      membership: 'ENTERED',
      data: { id: 1, note: 'his' },
    });
    for (const stream of [ada, bob]) {
      expect(stream.waiting).toEqual([]);
      await stream.socket.close();
    }
  });

  test('tell a value that is too large by a marker, and which it was', async () => {
    const { name, model } = await table('id int primary key, note text, doc jsonb');
    const stream = await ModelStream.open(server, 'ada', { model });
    await server.sql(
      `insert into ${name} values (1, repeat('x', 1000000), '{}')`,
      `update ${name} set note = repeat('y', 1000000)`,
      `update ${name} set note = 'short'`,
    );
    expect(await stream.next()).toMatchObject({
      data: { note: { omittedBytes: 1_000_002 }, doc: {} },
      omitted: ['note'],
    });
    expect(await stream.next()).toMatchObject({ changed: ['note'], omitted: ['note'] });
    expect(await stream.next()).toMatchObject({ changed: ['note'], data: { note: 'short' }, omitted: [] });
    await stream.socket.close();
  });

  test('cannot be continued across a TRUNCATE, live or later', async () => {
    const { name, model } = await table('id int primary key');
    const stream = await ModelStream.open(server, 'ada', { model, where: { id: 7 } });
    await server.sql(`insert into ${name} values (7)`);
    await stream.next();
    await server.sql(`truncate ${name}`);
    expect(await stream.code()).toBe('POSITION_EXPIRED');
    const later = await ModelStream.open(server, 'ada', { model, after: stream.position });
    expect(await later.code()).toBe('POSITION_EXPIRED');
    for (const { socket } of [stream, later]) await socket.close();
  });

  test('continue behind a position, and what has been deleted since comes without content', async () => {
    const { name, model } = await table('id int primary key, note text');
    const { position } = await server.ask('ada', '{ position }');
    await server.sql(
      `insert into ${name} values (1, 'gone'), (2, 'stays')`,
      `delete from ${name} where id = 1`,
    );
    const stream = await ModelStream.open(server, 'ada', { model, after: position });
    const told = [await stream.next(), await stream.next(), await stream.next()];
    expect(told.map(({ recordId, membership, data }) => [recordId, membership, data])).toEqual([
      ['1', 'ENTERED', null],
      ['2', 'ENTERED', { id: 2, note: 'stays' }],
      ['1', 'LEFT', null],
    ]);
    await stream.socket.close();
  });

  test('of a deleted message come without what it said, also those from before', async () => {
    const { position } = await server.ask('ada', '{ position }');
    const { sendMessage } = await server.ask('ada', send, { body: 'a word too many' });
    await server.ask(
      'ada',
      'mutation Edit($id: ID!) { editMessage(id: $id, body: "a word too many!") { id } }',
      { id: sendMessage.id },
    );
    await server.ask('ada', 'mutation Delete($id: ID!) { deleteMessage(id: $id) { id } }', {
      id: sendMessage.id,
    });
    const stream = await ModelStream.open(server, 'ada', { model: 'Message', after: position });
    const told = [await stream.next(), await stream.next(), await stream.next()];
    expect(told.map(({ data, record }) => [data?.body, record?.id])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
      ['', sendMessage.id],
    ]);
    await stream.socket.close();
  });

  test('are alike whatever the session of the writer is set to, and whatever its columns are called', async () => {
    const { name, model } = await table(
      'id int primary key, span interval, f float8, raw bytea, t text, n text, o text, j json, key text, hidden text, model text, c int, r text, part int, secret json',
    );
    const stream = await ModelStream.open(server, 'ada', { model });
    const settings = {
      intervalstyle: 'iso_8601',
      bytea_output: 'escape',
      extra_float_digits: '-5',
      timezone: 'Asia/Tokyo',
    };
    const set = Object.entries(settings).map(
      ([setting, value]) => `perform set_config('${setting}', '${value}', true);`,
    );
    await server.sql(
      `do $$ begin ${set.join(' ')}
         insert into ${name} (id, span, f, raw, j, secret, t)
         values (1, '1 day 2 hours', 0.1::float8 + 0.2::float8, 'ab', '{"a": "x\\u0000y"}', '{}', 't');
       end $$`,
      `update ${name} set t = 'u', key = 'k', model = 'm', hidden = 'h', j = '{"b": "\\u0000"}'`,
    );
    expect(await stream.next()).toMatchObject({
      data: { span: '1 day 02:00:00', f: 0.30000000000000004, raw: '\\x6162' },
    });
    const { changed, data } = await stream.next();
    expect(changed).toEqual(['t', 'j', 'key', 'hidden', 'model']);
    expect(Object.keys(data)).not.toContain('secret');
    await stream.socket.close();
  });

  test('of channels that are named by a filter go on when others come and go', async () => {
    const { name, model } = await table('id int primary key, channel text', {
      audience: 'CHANNEL',
      audienceColumn: 'channel',
    });
    const stream = await ModelStream.open(server, 'ada', { model, where: { channel: ['general', 'later'] } });
    await server.ask('ada', 'mutation { createChannel(input: { name: "other" }) { id } }');
    await server.ask('ada', 'mutation { createChannel(input: { name: "mine", kind: PRIVATE }) { id } }');
    await server.sql(`insert into ${name} values (1, 'general'), (2, 'other'), (3, 'mine')`);
    expect((await stream.next()).recordId).toBe('1');
    await server.ask('bob', 'mutation { createChannel(input: { name: "later" }) { id } }');
    expect(await stream.code()).toBe('POSITION_EXPIRED');
    await stream.socket.close();
  });

  test('of our own models carry the row as its type, so that caches update by themselves', async () => {
    const [users, channels, messages, notifications] = [
      await ModelStream.open(server, 'ada', { model: 'User' }),
      await ModelStream.open(server, 'ada', { model: 'Channel' }),
      await ModelStream.open(server, 'ada', { model: 'Message' }),
      await ModelStream.open(server, 'bob', { model: 'Notification' }),
    ];
    await server.ask('root', 'mutation { upsertUser(id: "eve", name: "Eve") { id } }', {}, ['service']);
    await server.ask('bob', 'mutation { createChannel(input: { name: "second" }) { id } }');
    const { sendMessage } = await server.ask('ada', send, { body: 'hello' });
    await server.ask(
      'root',
      'mutation { sendNotification(input: { userId: "bob", title: "T", message: "M" }) { id } }',
      {},
      ['service'],
    );
    await server.ask('ada', 'mutation Edit($id: ID!) { editMessage(id: $id, body: "changed") { id } }', {
      id: sendMessage.id,
    });
    let user = await users.next();
    while (user.recordId !== 'eve') user = await users.next();
    expect(user).toMatchObject({
      data: { id: 'eve', name: 'Eve' },
      record: { __typename: 'User', id: 'eve' },
    });
    expect(Object.keys(user.data).sort()).toEqual(['avatar_url', 'created_at', 'id', 'name']);
    expect(await channels.next()).toMatchObject({
      recordId: 'second',
      record: { __typename: 'Channel', id: 'second' },
    });
    expect(await messages.next()).toMatchObject({
      action: 'CREATED',
      record: { __typename: 'Message', id: sendMessage.id },
    });
    expect(await messages.next()).toMatchObject({ action: 'UPDATED', data: { body: 'changed' } });
    expect(await notifications.next()).toMatchObject({
      data: { title: 'T' },
      record: { __typename: 'Notification' },
    });
    for (const { socket } of [users, channels, messages, notifications]) await socket.close();
  });

  test('of a channel end with the set of channels that the viewer may read', async () => {
    const { name, model } = await table('id int primary key, channel text', {
      audience: 'CHANNEL',
      audienceColumn: 'channel',
    });
    await server.ask(
      'ada',
      'mutation { createChannel(input: { name: "closed", kind: PRIVATE, memberIds: ["bob"] }) { id } }',
    );
    const [ada, bob, eve, root] = [
      await ModelStream.open(server, 'ada', { model }),
      await ModelStream.open(server, 'bob', { model }),
      await ModelStream.open(server, 'eve', { model }),
      await ModelStream.open(server, 'root', { model }, ['service']),
    ];
    await server.sql(`insert into ${name} values (1, 'general'), (2, 'closed'), (3, 'nowhere'), (4, null)`);
    for (const stream of [ada, bob, root]) {
      expect([(await stream.next()).recordId, (await stream.next()).recordId]).toEqual(['1', '2']);
    }
    expect((await eve.next()).recordId).toBe('1');
    // Whoever joins what they may read anyway goes on.
    await server.ask('eve', 'mutation { joinChannel(name: "general") { id } }');
    await server.ask('ada', 'mutation { removeChannelMember(channel: "closed", userId: "bob") { id } }');
    await server.sql(`update ${name} set channel = 'general' where id = 2`);
    expect(await bob.code()).toBe('POSITION_EXPIRED');
    expect(await eve.next()).toMatchObject({ recordId: '2', membership: 'ENTERED' });
    expect(await ada.next()).toMatchObject({ recordId: '2', membership: 'LEFT' });
    expect(await ada.next()).toMatchObject({ recordId: '2', membership: 'ENTERED' });
    for (const { socket } of [ada, bob, eve, root]) await socket.close();
  });

  test('come once each and in order out of one statement of many rows', async () => {
    const many = kind === 'postgres' ? 50_000 : 5_000;
    const { name, model } = await table('id int primary key, part int');
    const [whole, part] = [
      await ModelStream.open(server, 'ada', { model }),
      await ModelStream.open(server, 'bob', { model, where: { part: 3 } }),
    ];
    await server.sql(`insert into ${name} select n, n % 1000 from generate_series(1, ${many}) n`);
    const ids = new Set<string>();
    for (let index = 0; index < many; index += 1) ids.add((await whole.next()).recordId);
    expect(ids.size).toBe(many);
    for (let index = 0; index < many / 1_000; index += 1) expect((await part.next()).data.part).toBe(3);
    await server.sql(`update ${name} set part = 3 where id = 1`);
    expect((await whole.next()).recordId).toBe('1');
    expect((await part.next()).recordId).toBe('1');
    expect([...whole.waiting, ...part.waiting]).toEqual([]);
    for (const { socket } of [whole, part]) await socket.close();
  });
});
