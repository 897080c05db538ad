import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { type ConnectionRow, Registry } from '../../src/db/registry.ts';
import { freshDatabase } from '../support/database.ts';

let url: string;
let drop: () => Promise<void>;
beforeAll(async () => {
  ({ url, drop } = await freshDatabase());
  const database = openPostgres(url);
  await migrate(database);
  await database.query("insert into users (id, name) values ('ada', 'Ada')");
  await database.close();
});
afterAll(() => drop());

type Trouble = 'answer is lost' | 'statement is lost';

/** A node's registry, on a database that loses what it is told to lose. */
function openRegistry(node: string) {
  const database = openPostgres(url);
  const troubles: Trouble[] = [];
  const shaky: Pick<Database, 'query'> = {
    async query(statement, parameters) {
      const trouble = statement.includes('insert into realtime_connections') ? troubles.shift() : undefined;
      if (trouble === 'statement is lost') throw new Error(trouble);
      const rows = await database.query(statement, parameters);
      if (trouble) throw new Error(trouble);
      return rows as never;
    },
  };
  const registry = new Registry({
    node,
    database: shaky as Database,
    load: () => ({ connections: 0, subscriptions: 0 }),
    failed: () => {},
  });
  onTestFinished(() => database.close());
  const active = async () => {
    const rows = await database.query<{ id: string }>(
      'select id from realtime_connections where node = $1 and is_active',
      [node],
    );
    return rows.map(({ id }) => id);
  };
  return { registry, troubles, active };
}

const connection = (): ConnectionRow => ({
  id: randomUUID(),
  userId: 'ada',
  transport: 'websocket',
  ipAddress: null,
  userAgent: null,
});

test.each<Trouble>(['answer is lost', 'statement is lost'])(
  'a connection that closes after its row may have been written is not left as open: %s',
  async (trouble) => {
    const { registry, troubles, active } = openRegistry(randomUUID());
    const [gone, here] = [connection(), connection()];
    // The first attempt, and the one that flushing makes.
    troubles.push(trouble, trouble);
    registry.opened(gone);
    registry.opened(here);
    await registry.flush();
    expect(troubles).toEqual([]);
    registry.closed(gone.id);
    await registry.flush();

    expect(await active()).toEqual([here.id]);
  },
);

test('one that closes while its row is being written is not left as open', async () => {
  const { registry, active } = openRegistry(randomUUID());
  const gone = connection();
  registry.opened(gone);
  const flushed = registry.flush();
  await new Promise((resolve) => setImmediate(resolve));
  registry.closed(gone.id);
  await flushed;
  await registry.flush();

  expect(await active()).toEqual([]);
});

test('who comes back under the same name is open again', async () => {
  const { registry, active } = openRegistry(randomUUID());
  const same = connection();
  registry.opened(same);
  await registry.flush();
  registry.closed(same.id);
  registry.opened(same);
  await registry.flush();

  expect(await active()).toEqual([same.id]);
});
