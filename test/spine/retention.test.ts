import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Retention } from '../../src/db/retention.ts';
import { eventually } from '../support/eventually.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const follow =
  'subscription Follow($channel: String!, $after: Position) { channelMessage(channel: $channel, after: $after) { body } }';
const send =
  'mutation Send($channel: String!, $body: String!) { sendMessage(input: { channel: $channel, body: $body }) { id } }';
const notify = 'mutation Notify($input: SendNotificationInput!) { sendNotification(input: $input) { id } }';

/** A second, and at most two more until the partition is past and somebody has looked. */
const retention = { JOURNAL_RETENTION: '1s' };

const positionOf = async (server: TestServer): Promise<string> =>
  (await server.ask('ada', '{ position }')).position;
const floorOf = async (server: TestServer): Promise<number> =>
  Number((await server.sql('select floor from realtime_relay'))[0].floor);
const headOf = async (server: TestServer): Promise<number> =>
  Number((await server.sql('select head from realtime_relay'))[0].head);

const relayAll = (server: TestServer) =>
  eventually(async () => expect(await server.sql('select from realtime_outbox')).toEqual([]));

/** What has been written so far is dropped. */
async function dropAll(server: TestServer): Promise<void> {
  await relayAll(server);
  const head = await headOf(server);
  await eventually(async () => {
    expect(await floorOf(server)).toBeGreaterThanOrEqual(head);
    expect(await server.sql(`select from realtime_events where position <= ${head}`)).toEqual([]);
  });
}

describe.each(databases)('what is older than the retention, on %s', (kind) => {
  let server: TestServer;
  const say = (channel: string, body: string) => server.ask('ada', send, { channel, body });

  beforeAll(async () => {
    server = await testServer(kind, retention);
    for (const name of ['busy', 'noisy', 'quiet']) {
      await server.ask('ada', `mutation { createChannel(input: { name: "${name}" }) { id } }`);
    }
  });
  afterAll(() => server.close());

  test.concurrent('is dropped by whole partitions, and cannot be continued from over either wire', async () => {
    const before = await positionOf(server);
    await say('busy', 'gone');
    await relayAll(server);
    const behind = await positionOf(server);
    const partitions = await server.sql(
      "select inhrelid::text from pg_inherits where inhparent = 'realtime_events'::regclass",
    );
    await dropAll(server);
    await say('busy', 'kept');

    const left = await server.sql(
      "select oid::text from pg_class where relname like 'realtime_events_%\\_%' and relkind = 'r'",
    );
    expect(left.map(({ oid }) => oid)).not.toContain(partitions.at(0)!.inhrelid);
    const socket = await server.socket('ada');
    const variables = { channel: 'busy', after: before };
    const frame = await socket.run({ query: follow, variables }).frame();
    expect(frame).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'POSITION_EXPIRED' } }] });
    const stream = await server.events('ada', { query: follow, variables });
    expect((await stream.stream.next()).errors?.[0]?.extensions.code).toBe('POSITION_EXPIRED');
    expect(await stream.ended).toBe('complete');

    const goesOn = socket.run({ query: follow, variables: { channel: 'busy', after: behind } });
    expect((await goesOn.next()).data.channelMessage.body).toBe('kept');
    await socket.close();
  });

  test.concurrent('is not missed by who follows a topic that was quiet all the while', async () => {
    const before = await positionOf(server);
    await say('noisy', 'noise');
    await dropAll(server);
    const socket = await server.socket('ada');
    const stream = socket.run({ query: follow, variables: { channel: 'quiet', after: before } });
    await say('quiet', 'at last');

    expect((await stream.next()).data.channelMessage.body).toBe('at last');
    await socket.close();
  });

  test.concurrent('is counted, and the metrics tell how far back the journal reaches', async () => {
    const done = 'realtime_retention_runs_total{task="journal",outcome="done"}';
    await eventually(async () => expect(await server.metric(done)).toBeGreaterThan(0));

    expect(await server.metric('realtime_journal_floor')).toBe(await floorOf(server));
    expect(await server.metric('realtime_journal_age_seconds')).toBeLessThan(30);
  });

  test.concurrent('goes with expired notifications, but for those whose key is answered with them for good', async () => {
    await server.ask('bob', '{ viewer { id } }');
    const position = await positionOf(server);
    const socket = await server.socket('bob');
    const models = socket.run({
      query: 'subscription { modelUpdated(model: "Notification") { action } }',
    });
    await socket.run({ query: '{ viewer { id } }' }).next();
    const input = { userId: 'bob', title: 't', message: 'm', expiresAt: new Date(Date.now() + 1_000) };
    for (const dedupeKey of [null, 'once']) {
      await server.ask('root', notify, { input: { ...input, dedupeKey } }, ['admin']);
    }
    const list = '{ notifications { totalCount edges { node { id } } } }';
    await eventually(async () => {
      expect((await server.ask('bob', list)).notifications).toEqual({ totalCount: 0, edges: [] });
    });
    const replay = socket.run({
      query: 'subscription Replay($after: Position) { notificationReceived(after: $after) { title } }',
      variables: { after: position },
    });

    await eventually(async () => {
      const rows = await server.sql("select dedupe_key from notifications where user_id = 'bob'");
      expect(rows).toEqual([{ dedupe_key: 'once' }]);
    });
    const changes = (await models.take(3)).map(({ data }) => data.modelUpdated.action);
    expect(changes).toEqual(['CREATED', 'CREATED', 'DELETED']);
    const again = { ...input, dedupeKey: 'once' };
    const first = await server.sql("select id from notifications where user_id = 'bob'");
    const { sendNotification } = await server.ask('root', notify, { input: again }, ['admin']);
    expect(sendNotification.id).toBe(first[0].id);
    // Either it has been told that the journal does not reach back that far, or that there is nothing.
    expect(replay.waiting.filter(({ type }) => type === 'next')).toEqual([]);
    await socket.close();
  });
});

describe('cleaning', () => {
  test('goes on until nothing is left, however much there is, and lets each task have its turn', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    let [left, turns] = [1_000, 0];
    const outcomes: string[] = [];
    const retention = new Retention({
      everyMs: 60_000,
      tasks: {
        other: async () => {
          turns += 1;
          return false;
        },
        many: async () => {
          left -= 1;
          return left > 0;
        },
      },
      isLeading: () => true,
      ran: (task, outcome) => void (task === 'many' && outcomes.push(outcome)),
      failed: () => {},
    });
    retention.start();
    await vi.advanceTimersByTimeAsync(119_000);
    await retention.close();

    expect(left).toBe(0);
    expect(turns).toBe(50);
    expect(outcomes).toEqual(['done']);
  });
});

const waitingForJournal = `select from pg_locks
  where not granted and locktype = 'relation' and relation = 'realtime_events'::regclass`;

test("dropping it stands in nobody's way, and nothing is lost or doubled meanwhile", {
  timeout: 60_000,
}, async () => {
  // Long enough for who drops and comes back at once to be in time, also where everything is slow.
  const server = await testServer('postgres', { JOURNAL_RETENTION: '2s' });
  const sql = postgres(server.databaseUrl!, { max: 2, onnotice: () => {} });
  try {
    await server.ask('ada', 'mutation { createChannel(input: { name: "steady" }) { id } }');
    const socket = await server.socket('ada');
    const query = follow;
    const variables = { channel: 'steady' };
    const bySocket = socket.run({ query, variables });
    const byStream = (await server.events('ada', { query, variables })).stream;
    const resuming = resumeAllTheTime(server, await positionOf(server));

    // Somebody reads the journal for long, as a backup does.
    const reading = await sql.reserve();
    await reading.unsafe('begin; select count(*) from realtime_events');
    const isKeptWaiting = async () =>
      (await server.metric('realtime_retention_runs_total{task="journal",outcome="busy"}'))! > 0;
    let sent = 0;
    for (; sent % 50 > 0 || !(await isKeptWaiting()); sent += 1) {
      await server.ask('ada', send, { channel: 'steady', body: String(sent) });
      expect(await sql.unsafe(waitingForJournal)).toEqual([]);
    }
    await reading.unsafe('rollback');
    reading.release();
    await dropAll(server);

    const expected = Array.from({ length: sent }, (_, index) => String(index));
    for (const stream of [bySocket, byStream]) {
      const payloads = await stream.take(sent);
      expect(payloads.map(({ data }) => data.channelMessage.body)).toEqual(expected);
      expect(stream.waiting).toEqual([]);
    }
    expect(await resuming(sent)).toEqual(expected);
    await socket.close();
  } finally {
    await sql.end({ timeout: 1 });
    await server.close();
  }
});

/** Hears some, drops, and goes on behind the last. Answers what it heard once that is so many. */
function resumeAllTheTime(server: TestServer, start: string): (count: number) => Promise<string[]> {
  const bodies: string[] = [];
  let [wanted, after] = [Number.POSITIVE_INFINITY, start];
  const heard = (async () => {
    while (bodies.length < wanted) {
      const socket = await server.socket('ada');
      const stream = socket.run({ query: follow, variables: { channel: 'steady', after } });
      const closing = setTimeout(() => socket.cut(), 300);
      for (let frame = await stream.frame(); frame; frame = await stream.frame()) {
        if (frame.type !== 'next') throw new Error(JSON.stringify(frame));
        bodies.push(frame.payload.data.channelMessage.body);
        after = frame.payload.extensions!.position;
      }
      clearTimeout(closing);
    }
    return bodies;
  })();
  return (count) => {
    wanted = count;
    return heard;
  };
}
