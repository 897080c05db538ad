import { randomUUID } from 'node:crypto';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { removeClosedConnections } from '../../src/db/put-away.ts';
import { type ConnectionRow, Registry } from '../../src/db/registry.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

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
function openRegistry({ node = randomUUID() as string, beatMs = 20 } = {}) {
  const database = openPostgres(url);
  const troubles: Trouble[] = [];
  const statements: string[] = [];
  const away = { isAway: false };
  const shaky: Pick<Database, 'query'> = {
    async query(statement, parameters) {
      if (away.isAway) throw new Error('away');
      statements.push(statement);
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
    subscriptions: () => 0,
    failed: () => {},
    beatMs,
  });
  onTestFinished(async () => {
    await registry.close();
    await database.close();
  });
  const active = async () => {
    const rows = await database.query<{ id: string }>(
      'select id from realtime_connections where node = $1 and is_active order by id',
      [node],
    );
    return rows.map(({ id }) => id);
  };
  /** One row, with how long ago it was last known to be alive, and closed. */
  const row = async (id: string) => {
    const [found] = await database.query<Record<string, any>>(
      `select is_active, metadata, extract(epoch from clock_timestamp() - last_ping)::float8 as silent,
              extract(epoch from clock_timestamp() - closed_at)::float8 as closed
         from realtime_connections where id = $1`,
      [id],
    );
    return found;
  };
  return { node, registry, database, troubles, statements, away, active, row };
}

/** It may change like a client's. */
const connection = (
  about: Partial<ConnectionRow> = {},
): { -readonly [Key in keyof ConnectionRow]: ConnectionRow[Key] } => ({
  id: uuid(),
  userId: 'ada',
  transport: 'websocket',
  ipAddress: null,
  userAgent: null,
  channels: [],
  subscriptionCount: 0,
  isSilent: false,
  ...about,
});

test.each<Trouble>(['answer is lost', 'statement is lost'])(
  'a connection that closes after its row may have been written is not left as open: %s',
  async (trouble) => {
    const { registry, troubles, active } = openRegistry();
    const [gone, here] = [connection(), connection()];
    troubles.push(trouble);
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
  const { registry, active } = openRegistry();
  const gone = connection();
  registry.opened(gone);
  const flushed = registry.flush();
  await new Promise((resolve) => setImmediate(resolve));
  registry.closed(gone.id);
  await flushed;
  await registry.flush();

  expect(await active()).toEqual([]);
});

test('a crowd is written a few thousand at a time', async () => {
  const { registry, statements, active } = openRegistry({ beatMs: 60_000 });
  const crowd = Array.from({ length: 11_000 }, () => connection());
  const before = statements.length;
  for (const each of crowd) registry.opened(each);
  await registry.flush();

  expect(await active()).toEqual(crowd.map(({ id }) => id).sort());
  expect(statements.length - before).toBeGreaterThanOrEqual(3);
});

test('who comes back under the same name is open again', async () => {
  const { registry, active } = openRegistry();
  const same = connection();
  registry.opened(same);
  await registry.flush();
  registry.closed(same.id);
  registry.opened(same);
  await registry.flush();

  expect(await active()).toEqual([same.id]);
});

describe('what a connection is subscribed to', () => {
  test('is written with its row', async () => {
    const { registry, row } = openRegistry();
    const here = connection({ channels: ['general'], subscriptionCount: 2 });
    registry.opened(here);
    await registry.flush();

    expect((await row(here.id))!.metadata).toBe('{"channels": ["general"], "subscriptionCount": 2}');
  });

  test('is written when it changes, in one statement however often that is', async () => {
    const { registry, row, statements } = openRegistry();
    const here = connection();
    registry.opened(here);
    await registry.flush();
    statements.length = 0;
    for (let count = 1; count <= 100; count += 1) {
      here.subscriptionCount = count;
      registry.subscribed(here.id);
    }

    await eventually(async () => expect((await row(here.id))!.metadata).toContain('100'));
    expect(statements.length).toBe(1);
  });

  test('of one that has closed is not written any more', async () => {
    const { registry, active } = openRegistry();
    const gone = connection();
    registry.opened(gone);
    await registry.flush();
    registry.subscribed(gone.id);
    registry.closed(gone.id);
    registry.subscribed(gone.id);
    await registry.flush();

    expect(await active()).toEqual([]);
  });
});

test('one that closes behind a change of its subscriptions is not left as open', async () => {
  const { registry, active } = openRegistry();
  const gone = connection();
  registry.opened(gone);
  await registry.flush();
  registry.subscribed(gone.id);
  const flushed = registry.flush();
  registry.closed(gone.id);
  await flushed;
  await registry.flush();

  expect(await active()).toEqual([]);
});

describe('a sign of life', () => {
  test('is written for all that are alive by one statement, and not for who is silent', async () => {
    const { registry, database, row, statements, node } = openRegistry();
    const [alive, frozen] = [connection(), connection({ isSilent: true })];
    registry.opened(alive);
    registry.opened(frozen);
    await registry.flush();
    await database.query(
      "update realtime_connections set last_ping = last_ping - interval '1 min' where node = $1",
      [node],
    );
    statements.length = 0;
    await registry.start();

    await eventually(async () => expect((await row(alive.id))!.silent).toBeLessThan(50));
    expect((await row(frozen.id))!.silent).toBeGreaterThan(59);
    expect(statements.filter((statement) => statement.includes('set last_ping')).length).toBe(1);
  });

  test('finds what somebody else has removed or put away, and writes it anew', async () => {
    const { registry, database, active } = openRegistry();
    const [one, other] = [connection(), connection()];
    await registry.start();
    registry.opened(one);
    registry.opened(other);
    await registry.flush();
    await database.query('delete from realtime_connections where id = $1', [one.id]);
    await database.query('update realtime_connections set is_active = false where id = $1', [other.id]);

    await eventually(async () => expect(await active()).toEqual([one.id, other.id]));
  });
});

describe('a node that has died', () => {
  /** It has written, and will do nothing more. */
  async function deadNode(seconds: number) {
    const { database, ...dead } = openRegistry({ beatMs: 1_000_000 });
    const left = connection();
    await dead.registry.start();
    dead.registry.opened(left);
    await dead.registry.flush();
    await database.query("update realtime_nodes set seen_at = seen_at - $2 * interval '1 s' where id = $1", [
      dead.node,
      seconds,
    ]);
    return { ...dead, database, left };
  }

  test('is put away with its connections once it has been silent for ten seconds', async () => {
    const [dead, quiet] = [await deadNode(11), await deadNode(5)];
    const { registry } = openRegistry();
    await registry.start();

    await eventually(async () => expect((await dead.row(dead.left.id))!.is_active).toBe(false));
    expect((await dead.row(dead.left.id))!.closed).toBeLessThan(30);
    expect(await quiet.active()).toEqual([quiet.left.id]);
  });

  test('leaves nothing behind that it wrote after it was put away', async () => {
    const dead = await deadNode(0);
    await dead.database.query('delete from realtime_nodes where id = $1', [dead.node]);
    const { registry } = openRegistry();
    await registry.start();

    await eventually(async () => expect(await dead.active()).toEqual([]));
  });

  test('and was only asleep writes its connections anew', async () => {
    const asleep = openRegistry({ beatMs: 500 });
    const here = connection();
    await asleep.registry.start();
    asleep.registry.opened(here);
    await asleep.registry.flush();
    await asleep.database.query('delete from realtime_nodes where id = $1', [asleep.node]);
    const { registry } = openRegistry();
    await registry.start();

    await eventually(async () => expect(await asleep.active()).toEqual([here.id]));
    expect((await asleep.row(here.id))!.closed).toBeNull();
    expect(asleep.statements.filter((statement) => statement.includes('set last_ping'))).toEqual([]);
  });

  test('is not told from the others while the database comes back: all may come back first', async () => {
    const dead = await deadNode(11);
    const { registry, away, statements } = openRegistry();
    const looks = () => statements.filter((statement) => statement.startsWith('delete from realtime_nodes'));
    away.isAway = true;
    setTimeout(() => {
      statements.length = 0;
      away.isAway = false;
    }, 200);
    await eventually(() => registry.start());
    await eventually(async () => expect(await dead.active()).toEqual([]));

    const beats = statements.slice(0, statements.indexOf(looks()[0]!));
    expect(beats.length).toBeGreaterThan(1);
  });
});

describe('connections that have been closed', () => {
  test('are removed some at a time once they are old enough, and those that are live never', async () => {
    const { registry, database, node } = openRegistry();
    const [live, recent] = [connection(), connection()];
    registry.opened(live);
    registry.opened(recent);
    await registry.flush();
    registry.closed(recent.id);
    await registry.flush();
    await database.query(
      `insert into realtime_connections (id, user_id, connection_type, node, is_active, connected_at, closed_at)
       select gen_random_uuid(), 'ada', 'sse', $1, false, now(), now() - interval '2 h' from generate_series(1, 1200)`,
      [node],
    );

    expect(await removeClosedConnections(database, 3_600_000)).toBe(true);
    expect(await removeClosedConnections(database, 3_600_000)).toBe(false);
    const left = await database.query('select id from realtime_connections where node = $1 order by id', [
      node,
    ]);
    expect(left).toEqual([{ id: live.id }, { id: recent.id }]);
  });
});
