import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { testServer } from '../support/server.ts';

const watch = 'mutation Watch($input: WatchModelInput!) { watchModel(input: $input) { id } }';

/** A value of the database has at most a gigabyte: what captures would make the writer's statement fail. */
test('rows that are large are captured a few at a time, whatever statement wrote them', async () => {
  const server = await testServer('postgres');
  const sql = postgres(server.databaseUrl!, { max: 1, onnotice: () => {} });
  onTestFinished(async () => {
    await sql.end();
    await server.close();
  });
  await sql`create table files (id int primary key, body text)`;
  await server.run('root', watch, { input: { table: 'files', audience: 'EVERYONE' } }, ['admin']);
  const statements = [
    `insert into files select id, repeat('x', 1500000) from generate_series(1, 20) id`,
    'update files set id = -id',
    `update files set body = body || '!'`,
    'delete from files',
  ];
  await sql.begin(async (tx) => {
    for (const statement of statements) {
      await tx`delete from realtime_outbox`;
      await tx.unsafe(statement);
      const [captured] = await tx`
        select sum(changes)::int as changes, max(octet_length(rows::text)) as largest from realtime_outbox`;
      expect(captured!.changes).toBe(statement.includes('-id') ? 40 : 20);
      expect(captured!.largest).toBeLessThan(20_000_000);
    }
  });
});
