import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { Partitions } from '../../src/db/partitions.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { freshDatabase } from '../support/database.ts';

let drop: () => Promise<void>;
let sql: postgres.Sql;
const nodes: Database[] = [];
beforeAll(async () => {
  const fresh = await freshDatabase();
  drop = fresh.drop;
  sql = postgres(fresh.url, { max: 3, onnotice: () => {} });
  nodes.push(openPostgres(fresh.url), openPostgres(fresh.url));
  await migrate(nodes[0]!);
});
afterAll(async () => {
  await Promise.all(nodes.map((database) => database.close()));
  await sql.end();
  await drop();
});

const hour = 3_600;
const of = (database: Database | undefined, retentionSeconds: number) =>
  new Partitions({ database: database!, retentionSeconds });
const dropAll = async (partitions: Partitions) => {
  while (await partitions.dropOldest());
};

/** An old partition with one event. */
async function makeOld(hoursAgo: number, position: number): Promise<string> {
  const start = Math.floor(Date.now() / 1_000 / hour - hoursAgo) * hour;
  const name = `realtime_events_${start}_${hour}`;
  await sql.unsafe(`create table ${name} partition of realtime_events
    for values from (to_timestamp(${start})) to (to_timestamp(${start + hour}))`);
  await sql.unsafe(`insert into realtime_events
      (relayed_at, position, topic, prev, id, recipient_type, kind, event_type, payload, created_at)
    values (to_timestamp(${start}), ${position}, 't', 0, gen_random_uuid(), 'all', 'k', 't', '{}', now())`);
  return name;
}

const exists = async (name: string) => (await sql`select to_regclass(${name}) is not null as is`)[0]!.is;
const floor = async () => Number((await sql`select floor from realtime_relay`)[0]!.floor);
const publish = (position: number) =>
  sql`update realtime_relay set published = ${position}, head = ${position}`;

test('what may not have been told yet is kept, whatever its age', async () => {
  const name = await makeOld(40, 5);
  await publish(4);
  await dropAll(of(nodes[0], hour));
  expect(await exists(name)).toBe(true);

  await publish(5);
  await dropAll(of(nodes[0], hour));
  expect(await exists(name)).toBe(false);
  expect(await floor()).toBe(5);
});

test('what a leader that died had begun to drop is dropped by the next', async () => {
  await publish(9);
  const [left, leaving] = [await makeOld(39, 6), await makeOld(38, 7)];
  await sql.unsafe(`alter table realtime_events detach partition ${left}`);
  await sql.begin(async (reading) => {
    await reading`select from realtime_events`;
    const dying = await sql.reserve();
    await dying`set lock_timeout = 100`;
    await expect(
      dying.unsafe(`alter table realtime_events detach partition ${leaving} concurrently`),
    ).rejects.toThrow('lock timeout');
    dying.release();
  });
  await dropAll(of(nodes[0], hour));

  expect([await exists(left), await exists(leaving)]).toEqual([false, false]);
});

test('two nodes at once make all and drop all', async () => {
  await publish(30);
  const old = await Promise.all([10, 11, 12, 13].map((position) => makeOld(47 - position, position)));
  const work = async (partitions: Partitions) => {
    for (;;) {
      // One may be in the way of the other, and tries again.
      const more = await partitions.dropOldest().catch(() => true);
      if (!more) return;
    }
  };
  const both = nodes.map((database) => of(database, 2 * hour));
  await Promise.all(both.flatMap((partitions) => [work(partitions), partitions.ensure()]));

  expect(await Promise.all(old.map(exists))).toEqual([false, false, false, false]);
  expect(await floor()).toBe(13);
  await sql`insert into realtime_events (position, topic, prev, id, recipient_type, kind, event_type, payload, created_at)
            values (31, 't', 0, gen_random_uuid(), 'all', 'k', 't', '{}', now())`;
});

test('none is missing for now where the width was another one, or the clock was ahead', async () => {
  await sql`truncate realtime_events`;
  for (const { name } of await sql`select inhrelid::regclass::text as name from pg_inherits
                                    where inhparent = 'realtime_events'::regclass`) {
    await sql.unsafe(`drop table ${name}`);
  }
  const now = Math.floor(Date.now() / 1_000);
  const ranges = [
    [now - 7, 10],
    [now + 9, 4],
    [now + 86_400, hour],
  ] as const;
  for (const [start, seconds] of ranges) {
    await sql.unsafe(`create table realtime_events_${start}_${seconds} partition of realtime_events
      for values from (to_timestamp(${start})) to (to_timestamp(${start + seconds}))`);
  }
  await of(nodes[0], 2 * hour).ensure();

  for (const ahead of [0, 5, 9, 13, 60, 600, 1_100]) {
    await sql`insert into realtime_events
        (relayed_at, position, topic, prev, id, recipient_type, kind, event_type, payload, created_at)
      values (to_timestamp(${now + ahead}), ${100 + ahead}, 't', 0, gen_random_uuid(), 'all', 'k', 't', '{}', now())`;
  }
});
