import postgres from 'postgres';
import { describe, expect, test } from 'vitest';
import { testServer } from '../support/server.ts';

const writers = 16;
const perWriter = 60;

describe('transactions that commit late and out of order', () => {
  test('lose none of their events, and those that roll back have none', async () => {
    const server = await testServer('postgres');
    const socket = await server.socket('ada');
    const stream = socket.run({ query: 'subscription { eventReceived { type } }' });
    await socket.run({ query: '{ viewer { id } }' }).next();
    const sql = postgres(server.databaseUrl!, { max: writers, onnotice: () => {} });

    const committed = new Set<string>();
    const write = async (writer: number) => {
      for (let index = 0; index < perWriter; index += 1) {
        const type = `event.${writer}.${index}`;
        const dice = Math.random();
        await sql
          .begin(async (tx) => {
            await tx`insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, payload)
              values (gen_random_uuid(), '{everyone}', '{all}', '{""}', 'emitted', ${type}, '{"payload": 1, "senderId": null}')`;
            if (dice < 0.3) await tx`select pg_sleep(${Math.random() / 5})`;
            if (dice > 0.9) throw new Error('rolled back');
          })
          .then(
            () => committed.add(type),
            (error) => expect(error.message).toBe('rolled back'),
          );
      }
    };
    await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));

    const heard = (await stream.take(committed.size)).map(({ data }) => data.eventReceived.type);
    expect(new Set(heard)).toEqual(committed);
    const [places] = await sql`select count(distinct position)::int as count, max(position)::int as last,
      count(*) filter (where kind = 'emitted')::int as emitted from realtime_events`;
    expect(places).toEqual({ count: places!.last, last: places!.last, emitted: committed.size });
    expect(stream.waiting).toEqual([]);
    await sql.end();
    await socket.close();
    await server.close();
  });
});

describe('an event that cannot be relayed', () => {
  test('is set aside with its error and holds up nobody', async () => {
    const server = await testServer('postgres');
    const socket = await server.socket('ada');
    const stream = socket.run({ query: 'subscription { eventReceived { type } }' });
    await socket.run({ query: '{ viewer { id } }' }).next();
    const sql = postgres(server.databaseUrl!, { max: 1, onnotice: () => {} });
    const insert = (tx: postgres.TransactionSql, type: string, topic: string) => tx`
      insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, payload)
      values (gen_random_uuid(), ${[topic]}, '{all}', '{""}', 'emitted', ${type}, '{"payload": 1, "senderId": null}')`;
    await sql.begin(async (tx) => {
      await insert(tx, 'before', 'everyone');
      await insert(tx, 'poison', 'x'.repeat(300));
      await insert(tx, 'after', 'everyone');
    });

    expect((await stream.take(2)).map(({ data }) => data.eventReceived.type)).toEqual(['before', 'after']);
    const [letter] = await sql`select event_type, error from realtime_dead_letters`;
    expect(letter).toMatchObject({
      event_type: 'poison',
      error: expect.stringContaining('realtime_events_topic'),
    });
    expect(await server.metric('realtime_dead_letters_total')).toBe(1);
    await sql.end();
    await socket.close();
    await server.close();
  });
});
