import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { createLedger } from '../../src/db/ledger.ts';
import { migrate } from '../../src/db/migrate.ts';
import { Partitions } from '../../src/db/partitions.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { addressOf, controlTopic, MemoryBus } from '../../src/realtime/bus.ts';
import type { JournalEvent } from '../../src/realtime/event.ts';
import { silent } from '../../src/realtime/meter.ts';
import { type Ledger, Relay } from '../../src/realtime/relay.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

let url: string;
let drop: () => Promise<void>;
let sql: postgres.Sql;
beforeAll(async () => {
  ({ url, drop } = await freshDatabase());
  sql = postgres(url, { max: 2, onnotice: () => {} });
  const database = openPostgres(url);
  await migrate(database);
  await database.close();
});
afterAll(async () => {
  await sql.end();
  await drop();
});
beforeEach(async () => {
  await sql`truncate realtime_outbox, realtime_events, realtime_topics`;
  await sql`update realtime_relay set head = 0, published = 0, fence = 0, holder = null, expires_at = '-infinity'`;
});

async function openLedger(): Promise<Ledger & { database: Database }> {
  const database = openPostgres(url);
  const partitions = new Partitions({ database, retentionSeconds: 3_600 });
  await partitions.ensure();
  return { ...createLedger({ database, partitions, epochs, node: randomUUID() }), database };
}

const topics = ['a', 'b', 'c'];
const epochs = { current: { id: 'one', key: Buffer.alloc(32), until: null }, settle: async () => {} };

async function write(count: number): Promise<void> {
  await sql`
    insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, payload)
    select gen_random_uuid(), array[(${topics}::text[])[1 + n % 3]], '{all}', '{""}', 'emitted', 't', to_json(n)
      from generate_series(1, ${count}::int) n`;
}

const expire = () => sql`update realtime_relay set expires_at = '-infinity', holder_pid = 0`;

/** Places without a gap, each topic chained by `prev`, and nothing left behind. */
async function expectWhole(count: number): Promise<void> {
  const rows = await sql`select position::int, topic, prev::int from realtime_events order by position`;
  expect(rows.map(({ position }) => position)).toEqual(
    Array.from({ length: count }, (_, index) => index + 1),
  );
  for (const topic of topics) {
    const own = rows.filter((row) => row.topic === topic);
    expect(own.map(({ prev }) => prev)).toEqual([0, ...own.slice(0, -1).map(({ position }) => position)]);
  }
  const [head] = await sql`select head::int from realtime_relay`;
  expect(head!.head).toBe(count);
}

describe('two relays that both believe to lead', () => {
  test('place every event once, whoever of them moves when', async () => {
    const [one, other] = [await openLedger(), await openLedger()];
    let [first, second] = [await one.take(), null as Awaited<ReturnType<Ledger['take']>>];
    const heads = new Map([
      [one, first!.head],
      [other, 0],
    ]);
    let moved = 0;
    for (let round = 0; round < 60; round += 1) {
      await write(5);
      if (round % 7 === 3) {
        await expire();
        second = await other.take();
        heads.set(other, second!.head);
      }
      if (round % 11 === 9) {
        await expire();
        first = await one.take();
        heads.set(one, first!.head);
      }
      const batches = await Promise.all([
        one.move(first!.fence, heads.get(one)!, 3),
        second && other.move(second.fence, heads.get(other)!, 3),
      ]);
      for (const [ledger, batch] of [
        [one, batches[0]],
        [other, batches[1]],
      ] as const) {
        if (!batch) continue;
        heads.set(ledger, batch.head);
        moved += batch.events.length;
      }
      expect(batches.filter((batch) => batch).length).toBeLessThanOrEqual(1);
    }
    expect(moved).toBe(180);
    await expectWhole(180);
    await Promise.all([one.database.close(), other.database.close()]);
  });

  test('are told apart also where a promoted standby has the same fence and an older head', async () => {
    const ledger = await openLedger();
    const lease = await ledger.take();
    await write(10);
    const batch = await ledger.move(lease!.fence, lease!.head, 100);
    expect(batch!.head).toBe(10);
    await sql`update realtime_relay set head = 4`;
    await write(1);
    expect(await ledger.move(lease!.fence, batch!.head, 100)).toBeNull();
    await ledger.database.close();
  });
});

describe('a relay that does not know how its batch ended', () => {
  test('publishes everything at least once, and in order', async () => {
    const ledger = await openLedger();
    const count = 400;
    let calls = 0;
    const doubtful: Ledger = {
      ...ledger,
      move: async (fence, head, limit) => {
        calls += 1;
        if (calls % 5 === 1) throw new Error('lost on the way there');
        const batch = await ledger.move(fence, head, Math.min(limit, 40));
        if (calls % 5 === 3) throw new Error('lost on the way back');
        return batch;
      },
    };
    const bus = new MemoryBus();
    const heard: number[] = [];
    let covered = 0;
    for (const topic of topics) {
      bus.listen(addressOf('one', topic), (message) => {
        const { position } = message as JournalEvent;
        if (position > (heard.at(-1) ?? 0)) heard.push(position);
      });
    }
    bus.listen(addressOf('one', controlTopic), (message) => {
      const { from, to } = message as { from: number; to: number };
      expect(from).toBeLessThanOrEqual(covered);
      covered = Math.max(covered, to);
    });
    const relay = new Relay({ ledger: doubtful, bus, meter: silent, failed: () => {}, pollMs: 10, gapMs: 0 });
    relay.start();
    await write(count);

    await eventually(() => expect(covered).toBe(count));
    expect(heard).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    await relay.close();
    await expectWhole(count);
    await ledger.database.close();
  });
});
