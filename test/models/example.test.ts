import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { liveList } from '../../examples/live-list.ts';
import { eventually } from '../support/eventually.ts';
import { buildMain } from '../support/node-process.ts';
import { testServer } from '../support/server.ts';

const run = promisify(execFile);

/** `npm run watch -- …`, as it is built. */
async function watchFromShell(databaseUrl: string, ...parameters: string[]): Promise<string> {
  const command = (await buildMain()).replace(/main\.js$/, 'cli/watch.js');
  const env = { PATH: process.env.PATH, DATABASE_URL: databaseUrl };
  const { stdout } = await run(process.execPath, [command, ...parameters], { env }).catch((error) => ({
    stdout: error.stderr,
  }));
  return stdout;
}

test('the example of a live list follows a table that was watched from a shell, across cuts and a TRUNCATE', async () => {
  const server = await testServer('postgres');
  onTestFinished(() => server.close());
  await server.sql('create table tasks (id int primary key, owner text, title text, api_token text)');
  expect(await watchFromShell(server.databaseUrl!, 'tasks', '--audience', 'OWNER')).toContain('usage:');
  expect(await watchFromShell(server.databaseUrl!, 'tasks', '--audience', 'OWNER:nobody')).toContain(
    'no column "nobody"',
  );
  expect(await watchFromShell(server.databaseUrl!, 'tasks', '--audience', 'OWNER:owner')).toBe(
    'Tasks: public.tasks (id, owner, title)\n',
  );

  interface Task {
    readonly title: string;
  }
  const sockets: WebSocket[] = [];
  class Socket extends WebSocket {
    constructor(address: string, protocols?: string | string[]) {
      super(address, protocols);
      sockets.push(this);
    }
  }
  let shown: string[] = [];
  let loads = 0;
  // That it is watched is an event as well: a list that begins before it begins once more.
  await eventually(async () => expect(await server.sql('select 1 from realtime_outbox')).toEqual([]));
  const stop = liveList<Task>({
    url: `${server.url.replace('http', 'ws')}/graphql`,
    token: () => server.token('ada'),
    webSocketImpl: Socket,
    model: 'Tasks',
    load: async () => {
      loads += 1;
      const { position } = await server.ask('ada', '{ position }');
      const rows = await server.sql("select id::text as id, title from tasks where owner = 'ada'");
      return { position, rows: new Map(rows.map(({ id, title }) => [id, { title }])) };
    },
    changed: (rows) => {
      shown = [...rows.values()].map(({ title }) => title).sort();
    },
    failed: (error) => expect(error).toBeNull(),
  });
  onTestFinished(async () => {
    stop();
    await eventually(() =>
      expect(sockets.every(({ readyState }) => readyState === WebSocket.CLOSED)).toBe(true),
    );
  });

  await server.sql("insert into tasks values (1, 'ada', 'one'), (2, 'bob', 'not hers'), (3, 'ada', 'three')");
  await eventually(() => expect(shown).toEqual(['one', 'three']));
  const begun = loads;
  sockets.at(-1)!.terminate();
  await server.sql(
    "update tasks set title = 'uno' where id = 1",
    "update tasks set owner = 'bob' where id = 3",
  );
  await eventually(() => expect(shown).toEqual(['uno']));
  expect(loads).toBe(begun);
  await server.sql('truncate tasks', "insert into tasks values (4, 'ada', 'four')");
  await eventually(() => expect(shown).toEqual(['four']));
  expect(loads).toBe(begun + 1);
});
