import { describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type ListRequest, LiveList } from '../support/live-list.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const rounds = 6;
const changesPerRound = 40;
const watch = 'mutation Watch($input: WatchModelInput!) { watchModel(input: $input) { id } }';
const people = ['ada', 'bob', 'carol'];
const channels = ['open', 'closed', 'secret', 'nowhere'];
const states = ['new', 'paid', 'sent'];

const pick = <Value>(values: readonly Value[]) => values[Math.floor(Math.random() * values.length)]!;
const maybe = (probability: number) => Math.random() < probability;
const text = (value: string | null) => (value === null ? 'null' : `'${value.replaceAll("'", "''")}'`);
const someId = () => Math.ceil(Math.random() * 60);

/** A statement of somebody else. */
function statement(nextId: () => number): string {
  const [owner, channel, state] = [maybe(0.1) ? null : pick(people), pick(channels), pick(states)];
  const amount = `${Math.round(Math.random() * 3)}.${pick(['0', '50', '500'])}`;
  const values = () =>
    `(${nextId()}, ${text(owner)}, ${text(channel)}, ${text(state)}, ${amount}, 'it''s "x"')`;
  const into = 'insert into items (id, owner, channel, state, amount, note)';
  return pick([
    `${into} values ${values()}`,
    `${into} values ${values()}, ${values()}, ${values()}`,
    `${into} select id + 100000, owner, channel, state, amount, note from items where id = ${someId()} on conflict do nothing`,
    `${into} values (${someId()}, ${text(owner)}, ${text(channel)}, ${text(state)}, ${amount}, 'new')
       on conflict (id) do update set state = excluded.state, amount = excluded.amount`,
    `update items set state = ${text(state)} where id = ${someId()}`,
    `update items set state = ${text(state)} where owner = ${text(owner)}`,
    `update items set owner = ${text(owner)} where id in (${someId()}, ${someId()})`,
    `update items set channel = ${text(channel)} where id in (${someId()}, ${someId()})`,
    `update items set amount = amount + 0.50, hidden = 'h' where id = ${someId()}`,
    `update items set hidden = ${text(state)}`,
    `update items set id = -id where id = ${someId()} and not exists (select from items other where other.id = -items.id)`,
    `delete from items where id = ${someId()}`,
    `delete from items where state = ${text(state)} and id % 5 = 0`,
  ]);
}

describe.each(databases)('lists on %s', (kind) => {
  test('are what their queries answer, whoever writes whatever and however often they are cut', {
    timeout: 240_000,
  }, async () => {
    const server = await testServer(kind);
    let id = 0;
    const nextId = () => {
      id += 1;
      return id;
    };
    await server.sql(`create table items (id bigint primary key, owner text, channel text, state text not null,
                                          amount numeric not null, note text, hidden text)`);
    const columns = ['id', 'owner', 'channel', 'state', 'amount', 'note'];
    for (const person of people) await server.ask(person, '{ viewer { id } }');
    await server.ask('ada', 'mutation { createChannel(input: { name: "open" }) { id } }');
    await server.ask(
      'ada',
      'mutation { createChannel(input: { name: "closed", kind: PRIVATE, memberIds: ["bob"] }) { id } }',
    );
    await server.ask('ada', 'mutation { createChannel(input: { name: "secret", kind: PRIVATE }) { id } }');
    for (const [name, audience, audienceColumn] of [
      ['Item', 'EVERYONE', null],
      ['Mine', 'OWNER', 'owner'],
      ['Post', 'CHANNEL', 'channel'],
      ['Internal', 'SERVICE', null],
    ]) {
      await server.ask(
        'root',
        watch,
        { input: { table: 'items', name, audience, audienceColumn, columns } },
        ['admin'],
      );
    }

    /** What a list stands for, as SQL. */
    const load = (where: string) => async () => {
      const rows = await server.sql(
        `select id::text as id, owner, channel, state, amount::text as amount, note from items where ${where} order by items.id`,
      );
      return new Map(rows.map((row) => [row.id as string, row]));
    };
    const readableBy = (user: string) =>
      `channel in (select c.name from channels c where c.kind = 'PUBLIC' or exists (
         select from channel_members m where m.channel_id = c.id and m.user_id = '${user}'))`;
    const asked: [string, ListRequest, string][] = [
      ['ada', { model: 'Item' }, 'true'],
      ['bob', { model: 'Item', where: { state: 'paid' } }, "state = 'paid'"],
      [
        'bob',
        { model: 'Item', where: { state: ['new', 'sent'], owner: 'ada' } },
        "state in ('new', 'sent') and owner = 'ada'",
      ],
      ['bob', { model: 'Item', where: { owner: null } }, 'owner is null'],
      ['ada', { model: 'Item', where: { amount: [1, '2.5', '0.00'] } }, 'amount in (1, 2.5, 0)'],
      ['carol', { model: 'Item', ids: ['1', '7', '-7', '100007'] }, 'id in (1, 7, -7, 100007)'],
      ['ada', { model: 'Mine' }, "owner = 'ada'"],
      ['bob', { model: 'Mine', where: { state: 'sent' } }, "owner = 'bob' and state = 'sent'"],
      [
        'carol',
        { model: 'Mine', where: { channel: ['open', 'secret'] } },
        "owner = 'carol' and channel in ('open', 'secret')",
      ],
      ['ada', { model: 'Post' }, readableBy('ada')],
      ['bob', { model: 'Post', where: { state: 'new' } }, `state = 'new' and ${readableBy('bob')}`],
      ['carol', { model: 'Post' }, readableBy('carol')],
      [
        'carol',
        { model: 'Post', where: { channel: ['open', 'closed'] } },
        `channel in ('open', 'closed') and ${readableBy('carol')}`,
      ],
    ];
    const lists = asked.map(([viewer, request, where]) => {
      const query = load(where);
      return { list: new LiveList(server, viewer, request, query), query, viewer, request };
    });

    for (let round = 0; round < rounds; round += 1) {
      for (let change = 0; change < changesPerRound; change += 1) {
        // A row that is there already fails the whole statement, and nothing of it is told.
        await server.sql(statement(nextId)).catch(ignoreDuplicates);
        if (maybe(0.1)) pick(lists).list.cut();
        if (maybe(0.03)) await moveCarol(server);
      }
      if (kind === 'postgres') await interleaved(server, nextId);
      if (round === rounds / 2) await server.sql('truncate items');
      for (const { list, query, viewer, request } of lists) {
        await eventually(async () => {
          expect(list.failure).toBeUndefined();
          const found = sorted(list.rows);
          expect({ viewer, request, rows: found }).toEqual({ viewer, request, rows: sorted(await query()) });
        });
      }
    }
    expect(lists[0]!.list.expirations).toBeGreaterThanOrEqual(1);
    for (const { list } of lists) await list.close();
    await server.close();
  });
});

function ignoreDuplicates(error: { code?: string }): void {
  if (error.code !== '23505') throw error;
}

/** She is let into a private channel, or put out of it. */
async function moveCarol(server: TestServer): Promise<void> {
  const isIn = await server.sql(
    "select from channel_members m join channels c on c.id = m.channel_id where c.name = 'closed' and m.user_id = 'carol'",
  );
  const verb = isIn.length > 0 ? 'removeChannelMember' : 'addChannelMember';
  await server.ask('ada', `mutation { ${verb}(channel: "closed", userId: "carol") { id } }`);
}

/** Two transactions that go on at the same time and commit in another order than they began, and one that does not. */
async function interleaved(server: TestServer, nextId: () => number): Promise<void> {
  const { default: postgres } = await import('postgres');
  const sql = postgres(server.databaseUrl!, { max: 3, onnotice: () => {} });
  const [one, other, third] = await Promise.all([sql.reserve(), sql.reserve(), sql.reserve()]);
  for (const session of [one, other, third]) await session.unsafe('begin');
  const insert = (state: string) =>
    `insert into items values (${nextId() + 1_000}, 'ada', 'open', '${state}', 1, 'tx')`;
  await one.unsafe(insert('new'));
  await other.unsafe(insert('paid'));
  await third.unsafe(insert('sent'));
  await one.unsafe(
    `insert into items select g, 'bob', 'closed', 'paid', g, 'many' from generate_series(200000, 200600) g`,
  );
  await other.unsafe('commit');
  await third.unsafe('rollback');
  await one.unsafe('delete from items where id > 150000');
  await one.unsafe('commit');
  for (const session of [one, other, third]) session.release();
  await sql.end();
}

const sorted = (rows: Map<string, any>) =>
  [...rows.values()].sort((one, other) => Number(one.id) - Number(other.id));
