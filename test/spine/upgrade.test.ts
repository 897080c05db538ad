import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { type TestServer, testServer } from '../support/server.ts';

const migrationsFolder = fileURLToPath(new URL('../../src/db/migrations', import.meta.url));
/** As many as 0.1 and the models had. */
const earlier = 3;

/** A database as the version before left it: rows of everything, one event in the journal, and one that still waits. */
async function fill(url: string): Promise<{ channel: string; notification: string }> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql`create table realtime_migrations (hash text primary key, applied_at timestamptz not null default now())`;
  for (const { sql: statements, hash } of readMigrationFiles({ migrationsFolder }).slice(0, earlier)) {
    for (const statement of statements) await sql.unsafe(statement);
    await sql`insert into realtime_migrations (hash) values (${hash})`;
  }
  const [channel, notification] = [randomUUID(), randomUUID()];
  const start = Math.floor(Date.now() / 86_400_000) * 86_400;
  await sql.unsafe(`create table realtime_events_${start}_86400 partition of realtime_events
    for values from (to_timestamp(${start})) to (to_timestamp(${start + 86_400}))`);
  await sql`insert into users (id, name) values ('ada', 'Ada')`;
  await sql`insert into channels (id, name, kind) values (${channel}, 'general', 'PUBLIC')`;
  await sql`insert into channel_members (id, channel_id, user_id, role) values (gen_random_uuid(), ${channel}, 'ada', 'OWNER')`;
  await sql`insert into notifications (id, user_id, title, message, type, category, priority, actions)
            values (${notification}, 'ada', 'Old', 'm', 'info', 'general', 'NORMAL', '[]')`;
  await sql`insert into realtime_connections (id, user_id, connection_type, node, is_active)
            values (gen_random_uuid(), 'ada', 'sse', 'gone', true), (gen_random_uuid(), 'ada', 'sse', 'gone', false)`;
  const topic = `channel:${channel}`;
  const message = async (body: string) => {
    const id = randomUUID();
    await sql`insert into messages (id, channel_id, sender_id, body) values (${id}, ${channel}, 'ada', ${body})`;
    const at = new Date().toISOString();
    const row = {
      id,
      channelId: channel,
      senderId: 'ada',
      body,
      data: null,
      clientId: null,
      replyToId: null,
    };
    return JSON.stringify({ ...row, editedAt: null, deletedAt: null, createdAt: at, updatedAt: at });
  };
  await sql`insert into realtime_events (position, topic, prev, id, recipient_type, recipient_id, kind, event_type, payload, created_at)
            values (1, ${topic}, 0, gen_random_uuid(), 'channel', 'general', 'message', 'message.sent', ${await message('journal')}::text::jsonb, now())`;
  await sql`insert into realtime_topics values (${topic}, 1)`;
  await sql`update realtime_relay set head = 1, published = 1`;
  await sql`insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, payload)
            values (gen_random_uuid(), array[${topic}], '{channel}', '{general}', 'message', 'message.sent', ${await message('outbox')}::text::jsonb)`;
  await sql.end();
  return { channel, notification };
}

const state = (server: TestServer) =>
  server.ask(
    'ada',
    '{ notifications { edges { node { id title deliveredAt } } } channel(name: "general") { viewerRole messages { edges { node { body } } } } }',
  );

test('two nodes that start at once on the tables of the version before lose nothing of them, and neither does the next', async () => {
  const { url, drop } = await freshDatabase();
  onTestFinished(drop);
  const { notification } = await fill(url);
  for (const round of ['first', 'again']) {
    const nodes = await Promise.all([testServer('postgres', {}, url), testServer('postgres', {}, url)]);
    for (const node of nodes) {
      const { notifications, channel } = await state(node);
      const old = { id: notification, title: 'Old', deliveredAt: null };
      expect(notifications.edges, round).toEqual([{ node: old }]);
      expect(channel.viewerRole).toBe('OWNER');
      const bodies = channel.messages.edges.map(({ node }: { node: { body: string } }) => node.body);
      expect(bodies.sort()).toEqual(['journal', 'outbox']);
    }
    await eventually(async () => {
      const [one] = nodes as [TestServer, TestServer];
      expect(await one.sql('select from realtime_outbox')).toEqual([]);
      const events = await one.sql(
        "select position::int, prev::int, payload ->> 'body' as body from realtime_events where kind = 'message' order by 1",
      );
      expect(events).toEqual([
        { position: 1, prev: 0, body: 'journal' },
        { position: 2, prev: 1, body: 'outbox' },
      ]);
    });
    await Promise.all(nodes.map((node) => node.close()));
  }
});
