import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await testServer('postgres');
});
afterAll(() => server.close());

async function readiness() {
  const response = await fetch(`${server.url}/ready`);
  return { status: response.status, body: await response.json() };
}

describe('a node whose database is', () => {
  test('as it left it is ready, and alive', async () => {
    expect(await readiness()).toMatchObject({ status: 200, body: { status: 'ready' } });
    expect((await fetch(`${server.url}/live`)).status).toBe(200);
  });

  test('migrated back is not ready until it is migrated again, and stays alive', async () => {
    const [{ hash }] = await server.sql(
      'select hash from realtime_migrations order by applied_at desc limit 1',
    );
    await server.sql(`delete from realtime_migrations where hash = '${hash}'`);

    const body = { status: 'not ready', missing: { migrations: '1 have not been applied' } };
    expect(await readiness()).toEqual({ status: 503, body });
    expect((await fetch(`${server.url}/live`)).status).toBe(200);

    await server.sql(`insert into realtime_migrations (hash) values ('${hash}')`);
    expect((await readiness()).status).toBe(200);
  });

  test('without our tables is not ready', async () => {
    await server.sql('alter table realtime_migrations rename to elsewhere');

    expect(await readiness()).toMatchObject({
      status: 503,
      body: { missing: { migrations: expect.any(String) } },
    });
    await server.sql('alter table elsewhere rename to realtime_migrations');
  });

  test('migrated by a newer version goes on, and says so', async () => {
    await server.sql(`insert into realtime_migrations (hash) values ('of the future')`);

    const notice = expect.stringContaining('migrated by a newer version');
    expect(await readiness()).toMatchObject({ status: 200, body: { status: 'ready', notice } });
    await server.sql(`delete from realtime_migrations where hash = 'of the future'`);
  });
});
