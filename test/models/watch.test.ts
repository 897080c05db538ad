import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { ModelStream } from '../support/model-stream.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const watch =
  'mutation Watch($input: WatchModelInput!) { watchModel(input: $input) { id name table primaryKey columns audience audienceColumn } }';
const unwatch = 'mutation Unwatch($name: String!) { unwatchModel(name: $name) }';
const list = '{ watchedModels { name columns disabledReason } }';

describe.each(databases)('watching a table on %s', (kind) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer(kind);
    await server.sql(
      `create table order_lines (order_id bigint, line int, sku text, api_token text, password_digest text, primary key (order_id, line))`,
      'create table people (id int primary key, name text, owner text)',
      'create table keyless (id int)',
      'create table second (id int primary key, code text not null unique, other text unique)',
      'create table "Odd ""Name" ("Id" int primary key, "a b" text, "select" int)',
      'create view seen as select * from people',
      'create table parted (id int primary key) partition by range (id)',
      'create schema app',
      'create table app.things (id int primary key)',
    );
  });
  afterAll(() => server.close());

  const watchAs = (role: 'admin' | 'service' | null, input: object) =>
    server.run('root', watch, { input }, role ? [role] : []);
  const code = async (input: object) => (await watchAs('admin', input)).errors?.[0]?.extensions.code;

  test('takes its name, its key and its columns from the table, less those named like secrets', async () => {
    const { data } = await watchAs('admin', { table: 'order_lines', audience: 'EVERYONE' });
    expect(data.watchModel).toMatchObject({
      name: 'OrderLines',
      table: 'public.order_lines',
      primaryKey: 'order_id,line',
      columns: ['order_id', 'line', 'sku'],
      audience: 'EVERYONE',
      audienceColumn: null,
    });
    const named = await watchAs('admin', { table: 'app.things', name: 'Thing', audience: 'SERVICE' });
    expect(named.data.watchModel.table).toBe('app.things');
  });

  test('takes names of any characters, and no name for a statement', async () => {
    const { data } = await watchAs('admin', { table: 'Odd "Name', name: 'Odd', audience: 'EVERYONE' });
    expect(data.watchModel).toMatchObject({ primaryKey: 'Id', columns: ['Id', 'a b', 'select'] });
    const stream = await ModelStream.open(server, 'ada', { model: 'Odd', where: { 'a b': "it's" } });
    await server.sql(`insert into "Odd ""Name" values (1, 'it''s', 2), (2, 'other', 3)`);
    expect(await stream.next()).toMatchObject({ recordId: '1', data: { Id: 1, 'a b': "it's", select: 2 } });
    await stream.socket.close();
    for (const table of ['people; drop table people', 'people"', "people' or 'a'='a", '"people"', '']) {
      expect(await code({ table, audience: 'EVERYONE' })).toBe('NOT_FOUND');
    }
    expect(await code({ table: 'people', name: "x'; drop table people; --", audience: 'EVERYONE' })).toBe(
      'BAD_USER_INPUT',
    );
    expect(await code({ table: 'people', columns: ['name", (select 1)'], audience: 'EVERYONE' })).toBe(
      'BAD_USER_INPUT',
    );
  });

  test('is refused for what cannot be captured, and says why', async () => {
    const refused: [object, string][] = [
      [{ table: 'keyless', audience: 'EVERYONE' }, 'BAD_USER_INPUT'],
      [{ table: 'seen', audience: 'EVERYONE' }, 'BAD_USER_INPUT'],
      [{ table: 'parted', audience: 'EVERYONE' }, 'BAD_USER_INPUT'],
      [{ table: 'pg_catalog.pg_class', audience: 'EVERYONE' }, 'BAD_USER_INPUT'],
      [{ table: 'messages', audience: 'EVERYONE' }, 'BAD_USER_INPUT'],
      [{ table: 'realtime_settings', audience: 'EVERYONE' }, 'BAD_USER_INPUT'],
      [{ table: 'nothing', audience: 'EVERYONE' }, 'NOT_FOUND'],
      [{ table: 'people', audience: 'OWNER' }, 'BAD_USER_INPUT'],
      [{ table: 'people', audience: 'OWNER', audienceColumn: 'nobody' }, 'BAD_USER_INPUT'],
      [{ table: 'people', audience: 'EVERYONE', audienceColumn: 'owner' }, 'BAD_USER_INPUT'],
      [{ table: 'people', audience: 'EVERYONE', columns: [] }, 'BAD_USER_INPUT'],
      [{ table: 'people', audience: 'EVERYONE', columns: ['name', 'nothing'] }, 'BAD_USER_INPUT'],
      [{ table: 'people', audience: 'EVERYONE', name: 'User' }, 'CONFLICT'],
      [{ table: 'people', audience: 'EVERYONE', name: 'OrderLines' }, 'CONFLICT'],
      [{ table: 'second', audience: 'EVERYONE', primaryKey: 'other' }, 'BAD_USER_INPUT'],
    ];
    for (const [input, expected] of refused) expect([input, await code(input)]).toEqual([input, expected]);
    expect(
      (await watchAs('admin', { table: 'second', audience: 'EVERYONE', primaryKey: 'code' })).data.watchModel
        .primaryKey,
    ).toBe('code');
  });

  test('is for admins alone, and so is the list', async () => {
    for (const role of ['service', null] as const) {
      expect(
        (await watchAs(role, { table: 'people', audience: 'EVERYONE' })).errors![0]!.extensions.code,
      ).toBe('FORBIDDEN');
      const roles = role ? [role] : [];
      expect((await server.run('root', list, {}, roles)).errors![0]!.extensions.code).toBe('FORBIDDEN');
      expect((await server.run('root', unwatch, { name: 'X' }, roles)).errors![0]!.extensions.code).toBe(
        'FORBIDDEN',
      );
    }
  });

  test('again with the same words changes nothing, and with others ends those who follow it', async () => {
    const input = { table: 'people', name: 'Person', audience: 'EVERYONE', columns: ['id', 'name'] };
    const [first, again] = [await watchAs('admin', input), await watchAs('admin', input)];
    expect(again.data.watchModel.id).toBe(first.data.watchModel.id);
    const stream = await ModelStream.open(server, 'ada', { model: 'Person' });
    await server.sql("insert into people values (1, 'one', 'ada')");
    expect((await stream.next()).data).toEqual({ id: 1, name: 'one' });
    await watchAs('admin', { ...input, columns: ['id'] });
    expect(await stream.code()).toBe('POSITION_EXPIRED');
    const behind = await ModelStream.open(server, 'ada', { model: 'Person', after: stream.position });
    expect(await behind.code()).toBe('POSITION_EXPIRED');
    const anew = await ModelStream.open(server, 'ada', { model: 'Person' });
    await server.sql("insert into people values (2, 'two', 'ada')");
    expect((await anew.next()).data).toEqual({ id: 2 });
    for (const { socket } of [stream, behind, anew]) await socket.close();
  });

  test('ends with unwatching: nothing is captured, and nobody follows it any more', async () => {
    await watchAs('admin', { table: 'people', name: 'Gone', audience: 'EVERYONE' });
    const stream = await ModelStream.open(server, 'ada', { model: 'Gone' });
    const { data } = await server.run('root', unwatch, { name: 'Gone' }, ['admin']);
    expect(data.unwatchModel).toMatch(/^[0-9a-f-]{36}$/);
    expect(await stream.code()).toBe('POSITION_EXPIRED');
    const again = await ModelStream.open(server, 'ada', { model: 'Gone' });
    expect(await again.code()).toBe('NOT_FOUND');
    for (const [name, expected] of [
      ['Gone', 'NOT_FOUND'],
      ['Message', 'FORBIDDEN'],
    ]) {
      expect((await server.run('root', unwatch, { name }, ['admin'])).errors![0]!.extensions.code).toBe(
        expected,
      );
    }
    for (const { socket } of [stream, again]) await socket.close();
  });

  test('survives a new column, and ends with a clear word when one that is watched, or the table, is gone or a part', async () => {
    await server.sql('create table changing (id int primary key, name text, owner text)');
    await watchAs('admin', {
      table: 'changing',
      name: 'Changing',
      audience: 'OWNER',
      audienceColumn: 'owner',
    });
    const stream = await ModelStream.open(server, 'ada', { model: 'Changing' });
    await server.sql(
      'alter table changing add column extra text',
      "insert into changing values (1, 'one', 'ada', 'x')",
    );
    expect((await stream.next()).data).toEqual({ id: 1, name: 'one', owner: 'ada' });
    await server.sql('alter table changing drop column name', "insert into changing values (2, 'ada', 'x')");
    const frame = await stream.next().catch(() => null);
    if (frame) expect(frame.data).toEqual({ id: 2, name: null, owner: 'ada' });
    const reason = async (name: string) =>
      (await server.ask('root', list, {}, ['admin'])).watchedModels.find((model: any) => model.name === name)
        .disabledReason;
    await eventually(async () => expect(await reason('Changing')).toBe('The column "name" is gone.'));
    await server.sql(
      "insert into changing values (3, 'ada', 'x')",
      'update changing set extra = $$y$$',
      'delete from changing',
    );
    const after = await ModelStream.open(server, 'ada', { model: 'Changing' });
    expect(await after.code()).toBe('NOT_FOUND');
    await watchAs('admin', { table: 'changing', name: 'Changing', audience: 'EVERYONE' });
    expect(await reason('Changing')).toBeNull();
    await server.sql('drop table changing');
    // What is written to the whole is not seen at a part of it.
    await server.sql(
      'create table whole (id int primary key) partition by range (id)',
      'create table piece (id int primary key)',
    );
    await watchAs('admin', { table: 'piece', audience: 'EVERYONE' });
    await server.sql('alter table whole attach partition piece for values from (0) to (10)');
    await eventually(async () => expect(await reason('Changing')).toBe('The table is gone.'));
    await eventually(async () => expect(await reason('Piece')).toContain('it is partitioned'));
    for (const { socket } of [stream, after]) await socket.close();
  });
});
