import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { Deliveries } from '../../src/db/deliveries.ts';
import { migrate } from '../../src/db/migrate.ts';
import { Partitions } from '../../src/db/partitions.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import type { JournalEvent } from '../../src/realtime/event.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { connectedEvents } from '../support/plain-events.ts';
import { databases, postgresUrl, type TestServer, testServer } from '../support/server.ts';

const send =
  'mutation Send($channel: String!, $body: String!) { sendMessage(input: { channel: $channel, body: $body }) { id } }';
const notify =
  'mutation Notify($input: SendNotificationInput!) { sendNotification(input: $input) { id createdAt deliveredAt } }';
const acknowledge = 'mutation Acknowledge($ids: [ID!]!) { acknowledgeNotifications(ids: $ids) }';
const read = 'mutation Read($id: ID!) { markNotificationRead(id: $id) { id } }';
const received = 'subscription Follow($after: Position) { notificationReceived(after: $after) { id } }';

describe.each(databases)('deliveries on %s', (kind) => {
  let server: TestServer;
  /** Of three digits, so that their names have the order of their numbers. */
  let people = 100;

  beforeAll(async () => {
    server = await testServer(kind);
  });
  afterAll(() => server.close());

  /** Somebody of whom nobody has heard yet. */
  async function person(): Promise<string> {
    people += 1;
    const name = `person${people}`;
    await server.ask(name, '{ viewer { id } }');
    return name;
  }

  async function sendTo(
    userId: string,
  ): Promise<{ id: string; createdAt: string; deliveredAt: string | null }> {
    const input = { userId, title: 't', message: 'm' };
    return (await server.ask('root', notify, { input }, ['service'])).sendNotification;
  }

  const deliveredAt = async (user: string, id: string): Promise<string | null> =>
    (await server.ask(user, `{ notification(id: "${id}") { deliveredAt } }`)).notification.deliveredAt;
  const isDelivered = (user: string, id: string) =>
    eventually(async () => expect(await deliveredAt(user, id)).not.toBeNull());

  test.concurrent('are counted of every wire, and of who comes back for what was missed', async () => {
    const [me, other] = [await person(), await person()];
    await server.ask(me, 'mutation { createChannel(input: { name: "counted" }) { id } }');
    const { position: after } = await server.ask(me, '{ position }');
    const query =
      'subscription Follow($after: Position) { channelMessage(channel: "counted", after: $after) { body } }';
    const sockets = [await server.socket(me), await server.socket(other)];
    const streams = sockets.flatMap((socket) => [socket.run({ query }), socket.run({ query })]);
    streams.push((await server.events(me, { query })).stream);
    const plain = await connectedEvents(server, other, '?channels=counted');
    for (const socket of sockets) await socket.run({ query: '{ viewer { id } }' }).next();
    await server.ask(me, send, { channel: 'counted', body: 'hello' });
    for (const stream of streams) await stream.next();
    await plain.next();

    const count = async () =>
      (
        await server.sql(
          "select delivered_count from realtime_events where payload ->> 'body' = 'hello' and kind = 'message'",
        )
      )[0].delivered_count;
    await eventually(async () => expect(await count()).toBe(6));
    await sockets[0]!.run({ query, variables: { after } }).next();
    await eventually(async () => expect(await count()).toBe(7));
    for (const socket of sockets) socket.cut();
    plain.cut();
  });

  test.concurrent('are counted by recipient where an event has several', async () => {
    const [one, two, nobody] = [await person(), await person(), await person()];
    const query = 'subscription { eventReceived(types: ["counted"]) { id } }';
    const sockets = [await server.socket(one), await server.socket(two), await server.socket(two)];
    const streams = sockets.map((socket) => socket.run({ query }));
    for (const socket of sockets) await socket.run({ query: '{ viewer { id } }' }).next();
    const recipients = [one, two, nobody].map((userId) => ({ userId }));
    const emit = 'mutation Emit($input: EmitEventInput!) { emitEvent(input: $input) }';
    await server.ask('root', emit, { input: { type: 'counted', payload: 1, recipients } }, ['service']);
    for (const stream of streams) await stream.next();

    await eventually(async () => {
      const rows = await server.sql(
        "select recipient_id as id, delivered_count as count from realtime_events where event_type = 'counted' order by 1",
      );
      expect(rows).toEqual([one, two, nobody].map((id, index) => ({ id, count: [1, 2, 0][index] })));
    });
    for (const socket of sockets) socket.cut();
  });

  test.concurrent('of a notification are remembered from the first on, live on each wire and replayed', async () => {
    const users = [await person(), await person(), await person()];
    const [bySocket, byStream, byPlain] = users as [string, string, string];
    const socket = await server.socket(bySocket);
    socket.run({ query: received });
    await socket.run({ query: '{ viewer { id } }' }).next();
    const stream = await server.events(byStream, { query: received });
    await stream.opened;
    const plain = await connectedEvents(server, byPlain);
    for (const user of users) {
      const { id, createdAt, deliveredAt: atFirst } = await sendTo(user);
      expect(atFirst).toBeNull();
      await isDelivered(user, id);
      const at = Date.parse((await deliveredAt(user, id))!);
      expect(at).toBeGreaterThanOrEqual(Date.parse(createdAt));
      expect(at).toBeLessThan(Date.now() + 1_000);
    }

    const away = await person();
    const { position: after } = await server.ask(away, '{ position }');
    const missed = await sendTo(away);
    const later = await server.socket(away);
    await later.run({ query: received, variables: { after } }).next();
    await isDelivered(away, missed.id);
    socket.cut();
    later.cut();
    stream.cut();
    plain.cut();
  });

  test.concurrent('of a notification change its row for nobody, and are told with the next change', async () => {
    const me = await person();
    const socket = await server.socket(me);
    socket.run({ query: received });
    const changes = socket.run({
      query:
        'subscription { modelUpdated(model: "Notification") { action changed record { ... on Notification { deliveredAt } } } }',
    });
    await socket.run({ query: '{ viewer { id } }' }).next();
    const { id } = await sendTo(me);
    await isDelivered(me, id);
    expect(await server.ask(me, acknowledge, { ids: [id] })).toEqual({ acknowledgeNotifications: 1 });
    await server.ask(me, read, { id });

    const [created, updated] = (await changes.take(2)).map(({ data }) => data.modelUpdated);
    expect(created).toEqual({ action: 'CREATED', changed: [], record: { deliveredAt: null } });
    expect(updated).toEqual({
      action: 'UPDATED',
      changed: ['is_read', 'read_at', 'updated_at'],
      record: { deliveredAt: await deliveredAt(me, id) },
    });
    socket.cut();
  });

  test.concurrent('are confirmed by a client, once', async () => {
    const me = await person();
    const ids = [(await sendTo(me)).id, (await sendTo(me)).id];
    const confirm = async (...ids: string[]) => (await server.run(me, acknowledge, { ids })).data;

    expect(await confirm(ids[0]!)).toEqual({ acknowledgeNotifications: 1 });
    expect(await confirm(...ids, ids[1]!)).toEqual({ acknowledgeNotifications: 1 });
    expect(await confirm(...ids)).toEqual({ acknowledgeNotifications: 0 });
    for (const id of ids) expect(await deliveredAt(me, id)).not.toBeNull();
  });

  test.concurrent("are confirmed of one's own notifications alone, all or none", async () => {
    const [me, other] = [await person(), await person()];
    const [mine, theirs] = [(await sendTo(me)).id, (await sendTo(other)).id];
    const refusalOf = async (ids: string[], user = me) =>
      (await server.run(user, acknowledge, { ids }, user === 'root' ? ['admin'] : [])).errors?.[0]?.extensions
        .code;

    for (const unknown of [theirs, randomUUID(), 'garbage', '']) {
      expect(await refusalOf([mine, unknown])).toBe('NOT_FOUND');
    }
    expect(await refusalOf([mine], 'root')).toBe('NOT_FOUND');
    expect(await refusalOf([])).toBe('BAD_USER_INPUT');
    expect(await refusalOf(Array.from({ length: 1_001 }, () => mine))).toBe('BAD_USER_INPUT');
    expect(await deliveredAt(me, mine)).toBeNull();
    expect(await deliveredAt(other, theirs)).toBeNull();
  });
});

describe('deliveries while the database is away', () => {
  let sql: postgres.Sql;
  let database: Database;
  let drop: () => Promise<void>;
  let position = 0;
  const lost: number[] = [];
  const failures: unknown[] = [];
  const of = (more = {}) =>
    new Deliveries({
      database,
      failed: (error) => failures.push(error),
      lost: (count) => lost.push(count),
      ...more,
    });

  beforeAll(async () => {
    const fresh = await freshDatabase();
    drop = fresh.drop;
    sql = postgres(fresh.url, { max: 2, onnotice: () => {} });
    database = openPostgres(fresh.url);
    await migrate(database);
    await new Partitions({ database, retentionSeconds: 3_600 }).ensure();
    await sql`insert into users (id, name) values ('ada', 'Ada')`;
  });
  afterAll(async () => {
    await database.close();
    await sql.end();
    await drop();
  });

  /** A notification as it stands in the journal. */
  async function notification(): Promise<JournalEvent> {
    const id = randomUUID();
    position += 1;
    await sql`insert into notifications (id, user_id, title, message, type, category, priority, actions)
              values (${id}, 'ada', 't', 'm', 'info', 'general', 'NORMAL', '[]')`;
    await sql`insert into realtime_events (position, topic, prev, id, recipient_type, kind, event_type, payload, created_at)
              values (${position}, 'user:ada', 0, gen_random_uuid(), 'user', 'notification', 'notification', '{}', now())`;
    const event = { position, topic: 'user:ada', kind: 'notification', subject: `notification:${id}` };
    return { ...event, writtenAt: Date.now() } as JournalEvent;
  }

  async function stored({ position, subject }: JournalEvent): Promise<[count: number, isDelivered: boolean]> {
    const [event] =
      await sql`select delivered_count as count from realtime_events where position = ${position}`;
    const [row] =
      await sql`select delivered_at is not null as is from notifications where id = ${subject!.split(':')[1]!}`;
    return [event!.count, row!.is];
  }

  test('are written later, each once', async () => {
    const deliveries = of();
    const event = await notification();
    deliveries.add(event, 3);
    const [{ name }] = (await sql`select current_database() as name`) as unknown as [{ name: string }];
    const elsewhere = postgres(postgresUrl(), { max: 1 });
    await elsewhere.unsafe(`alter database ${name} with allow_connections false`);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name} and pid <> pg_backend_pid()
              and application_name = 'gravitycar-realtime'`;
    await deliveries.flush();
    expect(failures).not.toEqual([]);
    deliveries.add(event, 2);
    await elsewhere.unsafe(`alter database ${name} with allow_connections true`);
    await elsewhere.end();
    await eventually(async () => {
      await deliveries.flush();
      expect(await stored(event)).toEqual([5, true]);
    });
    await deliveries.flush();

    expect(await stored(event)).toEqual([5, true]);
    expect(lost).toEqual([]);
  });

  test('whose writing was cut off in the middle are not counted twice, and of notifications not forgotten', async () => {
    const deliveries = of();
    const event = await notification();
    deliveries.add(event, 4);
    await sql.begin(async (holding) => {
      await holding`select from notifications for update`;
      const flushed = deliveries.flush();
      await eventually(async () => {
        const cut = await sql`select pg_terminate_backend(pid) from pg_stat_activity
                               where wait_event_type = 'Lock' and query like '%delivered_count%' and pid <> pg_backend_pid()`;
        expect(cut).toHaveLength(1);
      });
      await flushed;
    });
    expect(lost).toEqual([4]);
    await deliveries.flush();

    expect(await stored(event)).toEqual([0, true]);
  });

  test('are written together, also while others go on without end', async () => {
    const statements: string[] = [];
    const event = { position: 1, topic: 'user:ada', kind: 'message', writtenAt: Date.now() } as JournalEvent;
    const busy: Pick<Database, 'queryAside'> = {
      async queryAside(statement) {
        statements.push(statement);
        if (statements.length < 1_000) deliveries.add(event, 1);
        return [];
      },
    };
    const deliveries = of({ database: busy as Database });
    deliveries.add(event, 1);
    await deliveries.flush();

    expect(statements).toHaveLength(2);
  });

  test('take bounded memory, and what is not counted is told', async () => {
    lost.length = 0;
    const deliveries = of({ most: 2 });
    const events = [await notification(), await notification(), await notification()];
    for (const event of events) deliveries.add(event, 7);
    expect(lost).toEqual([7]);
    await deliveries.flush();

    expect(await Promise.all(events.map(stored))).toEqual([
      [7, true],
      [7, true],
      [0, false],
    ]);
  });
});
