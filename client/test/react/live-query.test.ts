import { useReducer } from 'react';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { eventually } from '../../../test/support/eventually.ts';
import { type TestServer, testServer } from '../../../test/support/server.ts';
import { ChannelsDocument } from '../../src/documents/graphql.ts';
import { createRealtimeClient, type RealtimeClient } from '../../src/index.ts';
import { useEvents, useLiveQuery, useModel } from '../../src/react/index.ts';
import { page } from '../support/page.ts';
import { hasty } from '../support/site.ts';

interface Task {
  readonly id: string;
  readonly title: string;
  readonly state: string;
}

let server: TestServer;
let client: RealtimeClient;
const { draw } = page();

beforeAll(async () => {
  server = await testServer('postgres');
  await server.sql(
    "create table tasks (id bigint primary key, title text not null, state text not null default 'open')",
  );
  const input = '{ table: "tasks", audience: EVERYONE, columns: ["id", "title", "state"] }';
  await server.ask('root', `mutation { watchModel(input: ${input}) { id } }`, {}, ['admin']);
  client = createRealtimeClient({
    url: `${server.url}/graphql`,
    token: () => server.token('ann'),
    webSocketImpl: WebSocket,
    retry: hasty,
  });
});
afterAll(async () => {
  client.dispose();
  await server.close();
});

/** As a backend of the application's own would answer. */
const readTasks = async (where = 'true') =>
  (await server.sql(
    `select id::text as id, title, state from tasks where ${where} order by tasks.id`,
  )) as Task[];

describe('a live query', () => {
  test('of a watched table is what its query answers, whoever writes, also when the table is emptied at once', async () => {
    await server.sql("insert into tasks select g, 'task ' || g from generate_series(1, 20) g");
    let loads = 0;
    const list = draw(client, () =>
      useLiveQuery({
        model: 'Tasks',
        where: { state: 'open' },
        load: async () => {
          loads += 1;
          return readTasks("state = 'open'");
        },
        sort: (one, other) => Number(one.id) - Number(other.id),
      }),
    );
    await eventually(() => expect(list.value.rows).toHaveLength(20));
    for (let round = 0; round < 10; round += 1) {
      await server.sql(
        `insert into tasks values (${100 + round}, 'new')`,
        `update tasks set title = title || '!' where id % 3 = ${round % 3}`,
        `update tasks set state = case state when 'open' then 'done' else 'open' end where id % 7 = ${round % 7}`,
        `delete from tasks where id = ${round * 2 + 1}`,
      );
    }
    await eventually(async () => expect(list.value.rows).toEqual(await readTasks("state = 'open'")));
    expect(loads).toBe(1);
    await server.sql('truncate tasks', "insert into tasks values (1, 'after', 'open')");
    await eventually(() => expect(list.value.rows.map(({ title }) => title)).toEqual(['after']));
    expect(loads).toBeGreaterThan(1);
  });

  test('reads anew when it asks for other rows', async () => {
    await server.sql(
      "insert into tasks values (50, 'finished', 'done'), (51, 'begun', 'open') on conflict do nothing",
    );
    let state = 'open';
    let draws: () => void = () => {};
    const list = draw(client, () => {
      [, draws] = useReducer((count: number) => count + 1, 0);
      return useLiveQuery({
        model: 'Tasks',
        where: { state },
        load: () => readTasks(`state = '${state}'`),
      });
    });
    await eventually(() => expect(list.value.rows.some(({ title }) => title === 'begun')).toBe(true));
    state = 'done';
    draws();
    await eventually(() => expect(list.value.rows.map(({ title }) => title)).toEqual(['finished']));
  });

  test('of a model of the server has its type', async () => {
    await server.ask('ann', 'mutation { createChannel(input: { name: "first" }) { id } }');
    const list = draw(client, () =>
      useLiveQuery({
        model: 'Channel',
        query: { document: ChannelsDocument, variables: { first: 100 } },
        select: ({ channels }) => channels.edges.map(({ node }) => node),
      }),
    );
    await eventually(() => expect(list.value.rows.map(({ name }) => name)).toEqual(['first']));
    await server.ask('bob', 'mutation { createChannel(input: { name: "second", title: "Second" }) { id } }');
    await eventually(() =>
      expect(list.value.rows.map(({ name, title }) => [name, title])).toEqual([
        ['first', null],
        ['second', 'Second'],
      ]),
    );
    await server.ask('ann', 'mutation { deleteChannel(name: "first") }');
    await eventually(() => expect(list.value.rows.map(({ name }) => name)).toEqual(['second']));
  });

  test('of a model that is not there says so', async () => {
    const list = draw(client, () => useLiveQuery({ model: 'Nowhere', load: async () => [] as Task[] }));
    await eventually(() => expect(list.value.error).toMatchObject({ code: 'NOT_FOUND' }));
    expect(list.value.loading).toBe(false);
  });

  test('goes on asking a backend that does not answer, and tells of it', async () => {
    let isDown = true;
    const list = draw(client, () =>
      useLiveQuery({
        model: 'Tasks',
        load: async () => {
          if (isDown) throw new TypeError('fetch failed');
          return readTasks();
        },
      }),
    );
    await eventually(() => expect(list.value.error?.message).toBe('fetch failed'));
    expect(list.value.loading).toBe(true);
    isDown = false;
    await eventually(() => expect(list.value).toMatchObject({ loading: false, error: null }));
  });
});

describe('a live record', () => {
  test('is the row as it is, and null when it is gone', async () => {
    await server.sql("insert into tasks values (90, 'ninety', 'open')");
    const load = async (id: string) => (await readTasks(`id = ${id}`))[0] ?? null;
    const task = draw(client, () => useModel<Task>('Tasks', '90', { load }));
    await eventually(() => expect(task.value.record?.title).toBe('ninety'));
    await server.sql("update tasks set title = 'XC' where id = 90");
    await eventually(() => expect(task.value.record?.title).toBe('XC'));
    await server.sql('delete from tasks where id = 90');
    await eventually(() => expect(task.value.record).toBeNull());
    expect(task.value).toMatchObject({ loading: false, error: null });
  });

  test('of a user is read by the hook itself', async () => {
    await server.ask('zoe', '{ viewer { id } }');
    const user = draw(client, () => useModel('User', 'zoe'));
    const none = draw(client, () => useModel('User', null));
    await eventually(() => expect(user.value.record?.name).toBe('zoe'));
    const rename = 'mutation { upsertUser(id: "zoe", name: "Zoë") { id } }';
    await server.ask('root', rename, {}, ['service']);
    await eventually(() => expect(user.value.record?.name).toBe('Zoë'));
    expect(none.value).toMatchObject({ record: null, loading: false, error: null });
  });
});

describe('events', () => {
  test('are told once each, to whoever listens by now', async () => {
    const heard: unknown[] = [];
    draw(client, () => useEvents({ types: ['order.shipped'] }, ({ payload }) => heard.push(payload)));
    const emit = (type: string, payload: string) =>
      server.ask('root', `mutation { emitEvent(input: { type: "${type}", payload: ${payload} }) }`, {}, [
        'service',
      ]);
    await eventually(async () =>
      expect(await server.metric('realtime_subscriptions{field="eventReceived"}')).toBe(1),
    );
    await emit('order.shipped', '1');
    await emit('order.lost', '2');
    await emit('order.shipped', '3');
    await eventually(() => expect(heard).toEqual([1, 3]));
  });
});
