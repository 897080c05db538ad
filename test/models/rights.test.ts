import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { testServer } from '../support/server.ts';

const watch = 'mutation Watch($input: WatchModelInput!) { watchModel(input: $input) { id } }';

test('a table whose types would run their maker code with the rights of the server is not watched', async () => {
  const server = await testServer('postgres');
  const role = `mallory_${randomBytes(6).toString('hex')}`;
  const sql = postgres(server.databaseUrl!, { max: 1, onnotice: () => {} });
  onTestFinished(async () => {
    await sql.unsafe(`reset role; drop owned by ${role} cascade; drop role ${role}`);
    await sql.end();
    await server.close();
  });
  await sql.unsafe(`create role ${role}; grant create, usage on schema public to ${role}; set role ${role};
    create table loot (who text);
    create type lure as enum ('a');
    create function lure_as_json(lure) returns json language plpgsql as $$
      begin insert into public.loot values (current_user); return '1'; end $$;
    create cast (lure as json) with function lure_as_json(lure);
    create table baits (id int primary key, lure lure)`);

  const input = { table: 'baits', audience: 'EVERYONE' };
  const { errors } = await server.run('root', watch, { input }, ['admin']);
  await sql.unsafe("insert into baits values (1, 'a')");
  expect((await sql.unsafe('select who from loot')).map(({ who }) => who)).toEqual([]);
  expect(errors?.[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } });
});
