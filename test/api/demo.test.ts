import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';

const on = { DEMO: '1' };

async function signIn(server: TestServer, userId: string, headers: Record<string, string> = {}) {
  return post(server, '/demo/token', { userId }, headers);
}

async function post(server: TestServer, path: string, body: object, headers: Record<string, string> = {}) {
  return fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

/** A request that says of itself what `fetch` does not let it say. */
async function askAs(server: TestServer, headers: Record<string, string>): Promise<number> {
  const { request } = await import('node:http');
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: hostname,
        port,
        path: '/demo/token',
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
      },
      (response) => {
        response.resume();
        resolve(response.statusCode!);
      },
    );
    sent.once('error', reject);
    sent.end(JSON.stringify({ userId: 'ada' }));
  });
}

describe('the demo in development', () => {
  let server: TestServer;
  let authorization: string;

  beforeAll(async () => {
    server = await testServer('embedded', on);
    const { token } = (await (await signIn(server, 'ben')).json()) as { token: string };
    authorization = `Bearer ${token}`;
  });
  afterAll(() => server.close());

  const ask = async (query: string, token = authorization) => {
    const response = await post(server, '/graphql', { query }, { authorization: token });
    return ((await response.json()) as { data: any }).data;
  };

  test('signs in as each of its people by one request', async () => {
    const { people } = (await (await fetch(`${server.url}/demo/people`)).json()) as { people: any[] };
    expect(people.length).toBeGreaterThan(2);
    for (const { id, roles } of people) {
      const { token } = (await (await signIn(server, id)).json()) as { token: string };
      expect((await ask('{ viewer { id roles } }', `Bearer ${token}`)).viewer).toEqual({ id, roles });
    }
  });

  test('signs in as nobody else', async () => {
    expect((await signIn(server, 'root')).status).toBe(404);
    expect((await post(server, '/demo/token', [])).status).toBe(404);
    expect((await fetch(`${server.url}/demo/token`)).status).toBe(405);
  });

  test('gives no token to a page elsewhere, to another server of this machine, or by a name that points here', async () => {
    const { host } = new URL(server.url);
    expect(await askAs(server, { origin: `http://${host}` })).toBe(200);
    expect(await askAs(server, {})).toBe(200);
    expect(await askAs(server, { origin: 'https://evil.example.com' })).toBe(403);
    expect(await askAs(server, { origin: 'http://localhost:1' })).toBe(403);
    expect(await askAs(server, { origin: 'null' })).toBe(403);
    expect(await askAs(server, { host: 'evil.example.com', origin: 'http://evil.example.com' })).toBe(403);
    expect(await askAs(server, { 'content-type': 'text/plain' })).toBe(415);
  });

  test('names nobody to who came by another name', async () => {
    const { get } = await import('node:http');
    const { hostname, port } = new URL(server.url);
    const text = await new Promise<string>((resolve) => {
      get(
        { host: hostname, port, path: '/demo/people', headers: { host: 'evil.example.com' } },
        (response) => {
          let all = '';
          response.on('data', (part) => {
            all += part;
          });
          response.on('end', () => resolve(all));
        },
      );
    });
    expect(JSON.parse(text)).toEqual({ people: [] });
  });

  test('has channels with messages, a filled inbox and a table to begin with', async () => {
    const { channels, notifications } = await ask(
      '{ channels { edges { node { name viewerRole messages { edges { node { body } } } } } } notifications { totalCount } }',
    );
    const names = channels.edges.map(({ node }: any) => node.name);
    expect(names).toContain('welcome');
    expect(names).not.toContain('leadership');
    for (const { node } of channels.edges) expect(node.messages.edges.length).toBeGreaterThan(0);
    expect(notifications.totalCount).toBe(2);
    const { rows, position } = (await (
      await fetch(`${server.url}/demo/tasks`, { headers: { authorization } })
    ).json()) as any;
    expect(rows.length).toBeGreaterThan(3);
    expect(position).toEqual(expect.any(String));
  });

  test('tells of a task that changes, and the one who is given it', async () => {
    const socket = await server.socket('ada', ['admin']);
    const changes = socket.run({ query: 'subscription { modelUpdated(model: "Task") { action data } }' });
    const inbox = socket.run({
      query: 'subscription { notificationReceived { title message actor { id } } }',
    });
    await socket.run({ query: '{ viewer { id } }' }).next();
    const made = await post(server, '/demo/tasks', { title: 'Buy milk', assignee: 'ada' }, { authorization });
    const { id } = (await made.json()) as { id: string };

    const data = { id, title: 'Buy milk', status: 'todo', assignee: 'ada', points: 1 };
    expect((await changes.next()).data.modelUpdated).toEqual({ action: 'CREATED', data });
    expect((await inbox.next()).data.notificationReceived).toMatchObject({
      message: 'Buy milk',
      actor: { id: 'ben' },
    });

    const headers = { 'content-type': 'application/json', authorization };
    const body = JSON.stringify({ status: 'done' });
    await fetch(`${server.url}/demo/tasks/${id}`, { method: 'PUT', headers, body });
    expect((await changes.next()).data.modelUpdated).toEqual({
      action: 'UPDATED',
      data: { ...data, status: 'done' },
    });
    await fetch(`${server.url}/demo/tasks/${id}`, { method: 'DELETE', headers });
    expect((await changes.next()).data.modelUpdated).toMatchObject({ action: 'DELETED' });
    socket.cut();
  });

  test.each([
    ['a title that is none', { title: ' ' }, 400],
    ['a status that is none', { title: 'x', status: 'later' }, 400],
    ['what is no column', { title: 'x', id: 7 }, 400],
  ])('takes no task with %s', async (_title, task, status) => {
    expect((await post(server, '/demo/tasks', task, { authorization })).status).toBe(status);
  });

  test('lets its own people alone change its table, and admins alone look at the journal', async () => {
    const stranger = { authorization: `Bearer ${await server.token('mallory')}` };
    expect((await post(server, '/demo/tasks', { title: 'x' }, stranger)).status).toBe(403);
    expect((await post(server, '/demo/nudge', { userId: 'ada' }, stranger)).status).toBe(403);
    expect((await post(server, '/demo/tasks', { title: 'x' })).status).toBe(401);
    expect((await fetch(`${server.url}/demo/journal`, { headers: stranger })).status).toBe(403);
    expect((await fetch(`${server.url}/demo/elsewhere`)).status).toBe(404);
  });

  test('has the others talk, and shows the events with their positions', async () => {
    const { token } = (await (await signIn(server, 'ada')).json()) as { token: string };
    const admin = { authorization: `Bearer ${token}` };
    const { sent } = (await (
      await post(server, '/demo/chatter', { channel: 'welcome', count: 12 }, admin)
    ).json()) as { sent: number };
    expect(sent).toBe(12);
    const { events } = (await (await fetch(`${server.url}/demo/journal`, { headers: admin })).json()) as any;
    const [event] = events.filter(({ kind }: any) => kind === 'message');
    expect(event).toMatchObject({ type: expect.any(String), position: expect.any(String), delivered: 0 });
    expect(new Set(events.map(({ position }: any) => position)).size).toBe(events.length);
  });
});

describe('the content of the demo', () => {
  test('is made once, and what is deleted stays so', async () => {
    const { freshDatabase } = await import('../support/database.ts');
    const database = await freshDatabase();
    const first = await testServer('postgres', on, database.url);
    const channels = async (server: TestServer) =>
      (await server.ask('ada', '{ channels { edges { node { name } } } }')).channels.edges.length;
    const before = await channels(first);
    await first.ask('ada', 'mutation { deleteChannel(name: "welcome") }', {}, ['admin']);
    await first.sql("delete from demo_tasks where title like 'W%'");
    await first.close();

    const second = await testServer('postgres', on, database.url);
    expect(await channels(second)).toBe(before - 1);
    expect(await second.sql('select count(*)::int as rows from demo_tasks')).toEqual([{ rows: 4 }]);
    await second.close();
    await database.drop();
  });

  test('is made once by several nodes that start together', async () => {
    const { freshDatabase } = await import('../support/database.ts');
    const database = await freshDatabase();
    const servers = await Promise.all([1, 2, 3].map(() => testServer('postgres', on, database.url)));
    const [first] = servers as [TestServer];
    expect(
      await first.sql(
        `select (select count(*)::int from messages) as messages, (select count(*)::int from demo_tasks) as tasks,
                (select count(*)::int from notifications) as notifications, (select count(*)::int from channels) as channels`,
      ),
    ).toEqual([{ messages: 13, tasks: 5, notifications: 8, channels: 4 }]);
    for (const server of servers) await server.close();
    await database.drop();
  });

  test('is not put among the tables of an application, or into what is used already', async () => {
    const { freshDatabase } = await import('../support/database.ts');
    const database = await freshDatabase();
    const plain = await testServer('postgres', {}, database.url);
    await plain.sql('create table invoices (id int primary key)');
    await plain.close();
    const server = await testServer('postgres', on, database.url);
    expect(await server.sql("select to_regclass('demo_tasks') as found")).toEqual([{ found: null }]);
    expect(await server.sql('select * from channels')).toEqual([]);
    const token = (await (await signIn(server, 'ben')).json()) as { token: string };
    const headers = { authorization: `Bearer ${token.token}` };
    expect((await fetch(`${server.url}/demo/tasks`, { headers })).status).toBe(404);
    await server.close();
    await database.drop();
  });
});

describe('where the demo is off', () => {
  test.each([
    ['by its variable', { DEMO: '0' }],
    ['in production', { DEMO: '1', NODE_ENV: 'production' }],
  ])('%s there is nobody, and nothing of it', async (_title, environment) => {
    const server = await testServer('embedded', environment);
    expect((await signIn(server, 'ada')).status).toBe(404);
    expect(await server.sql('select * from users')).toEqual([]);
    expect(await server.sql("select to_regclass('demo_tasks') as found")).toEqual([{ found: null }]);
    expect((await fetch(`${server.url}/demo/tasks`)).status).toBe(404);
    await server.close();
  });
});
