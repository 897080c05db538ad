import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelStream } from '../support/model-stream.ts';
import { type TestServer, testServer } from '../support/server.ts';

const watch = 'mutation Watch($input: WatchModelInput!) { watchModel(input: $input) { id } }';

/** Capturing a row makes JSON of it, with the rights of this server. */
describe('a type of somebody else that would run code when JSON is made of it', () => {
  const mallory = `mallory_${randomBytes(6).toString('hex')}`;
  let server: TestServer;
  let sql: postgres.Sql;

  beforeAll(async () => {
    server = await testServer('postgres');
    sql = postgres(server.databaseUrl!, { max: 1, onnotice: () => {} });
    await sql.unsafe(`create role ${mallory}; grant create, usage on schema public to ${mallory}; set role ${mallory};
      create table loot (who text);
      create type lure as enum ('a', 'b');
      create function lure_as_json(lure) returns json language plpgsql as $$
        begin insert into public.loot values (current_user); return '"stolen"'; end $$;
      create cast (lure as json) with function lure_as_json(lure);
      create type boxed as (lure lure, n int);
      create domain lures as lure[];
      create domain share as numeric;
      create domain half as share`);
  });
  afterAll(async () => {
    await sql.unsafe(`reset role; drop owned by ${mallory} cascade; drop role ${mallory}`);
    await sql.end();
    await server.close();
  });

  const follow = async (table: string, model: string, columns?: string[]) => {
    const input = { table, name: model, audience: 'EVERYONE', columns };
    const { errors } = await server.run('root', watch, { input }, ['admin']);
    expect(errors).toBeUndefined();
    return ModelStream.open(server, 'ada', { model });
  };
  const looted = async () => (await sql.unsafe('select who from loot')).map(({ who }) => who);

  test('is told as its text, also within others', async () => {
    await sql.unsafe(`create table baits (id int primary key, lure lure, box boxed, boxes boxed[], lures lures,
                                          half half, shares share[], note text, data json, secret lure)`);
    const stream = await follow('baits', 'Bait');
    await sql.unsafe(
      `insert into baits values (1, 'a', ('a', 1), array[('b', 2)::boxed], '{a,b}', 1.50, '{2.50}', null, '{"x": [1]}', 'a')`,
    );
    const first = {
      ...{ id: 1, lure: 'a', box: '(a,1)', boxes: ['(b,2)'], lures: ['a', 'b'] },
      ...{ half: '1.50', shares: [2.5], note: null, data: { x: [1] } },
    };
    const second = { ...first, lure: 'b', lures: null, note: 'say "a"' };
    expect(await stream.next()).toMatchObject({ action: 'CREATED', data: first });
    await sql.unsafe(`update baits set lure = 'b', lures = null, note = 'say "a"'`);
    const changed = ['lure', 'lures', 'note'];
    expect(await stream.next()).toMatchObject({ action: 'UPDATED', changed, data: second });
    await sql.unsafe('update baits set id = 2');
    const moved = [await stream.next(), await stream.next()];
    expect(moved.map(({ action, recordId }) => [action, recordId]).sort()).toEqual([
      ['CREATED', '2'],
      ['DELETED', '1'],
    ]);
    expect(await looted()).toEqual([]);
    await stream.socket.close();
  });

  test('is not called from the moment that a column has it', async () => {
    await sql.unsafe('create table later (id int primary key, word text)');
    const stream = await follow('later', 'Later', ['id']);
    await sql.unsafe(`alter table later alter word type lure using word::lure`);
    await sql.unsafe(`insert into later values (1, 'a')`);
    expect((await stream.next()).data).toEqual({ id: 1 });
    expect(await looted()).toEqual([]);
    await stream.socket.close();
  });

  test.each(['repeatable read', 'serializable'])(
    'is known to a transaction that is %s and began before',
    async (level) => {
      const model = `Stale${level[0]}`;
      await sql.unsafe(`create table ${model} (id int primary key, word text, other int)`);
      const stream = await follow(model, model, ['id']);
      const other = postgres(server.databaseUrl!, { max: 1, onnotice: () => {} });
      await sql.unsafe(`begin isolation level ${level}`);
      await sql.unsafe('select count(*) from loot');
      await other.unsafe(`set role ${mallory}; alter table ${model} drop word, drop other, add word lure`);
      await other.end();
      await sql.unsafe(`insert into ${model} values (1, 'a')`);
      await sql.unsafe('commit');
      expect((await stream.next()).data).toEqual({ id: 1 });
      expect(await looted()).toEqual([]);
      await stream.socket.close();
    },
  );
});
