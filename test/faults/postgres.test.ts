import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Database, isAway, sqlState } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { createChannels } from '../../src/domain/channel.ts';
import { createMessages } from '../../src/domain/message.ts';
import { Positions } from '../../src/realtime/position.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { findPrograms, type OwnPostgres, startPostgres } from '../support/postgres-server.ts';
import { type TestServer, testServer } from '../support/server.ts';
import type { Stream } from '../support/websocket.ts';
import { SocketClient } from '../support/websocket.ts';

const follow = 'subscription { channelMessage(channel: "general") { body } }';
const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body, clientId: $body }) { id } }';

describe('a PostgreSQL that is stopped hard and comes back, three times', () => {
  test('ends no subscription, and loses and repeats nothing', async () => {
    const programs = findPrograms()!;
    let postgres: OwnPostgres = await startPostgres(programs);
    const server = await testServer('postgres', { LOG_LEVEL: 'silent' }, postgres.url);
    await server.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
    const socket = await server.socket('ada');
    const events = await server.events('ada', { query: follow });
    await events.opened;
    const heard: string[][] = [[], []];
    const hearing = [hear(socket.run({ query: follow }), heard[0]!), hear(events.stream, heard[1]!)];
    await socket.run({ query: '{ viewer { id } }' }).next();

    const codes = new Set<string>();
    let isOver = false;
    const sent: string[] = [];
    const senders = Array.from({ length: 8 }, (_, index) =>
      sendAll(server, index, () => isOver, sent, codes),
    );
    for (let round = 0; round < 3; round += 1) {
      const before = sent.length;
      await eventually(() => expect(sent.length).toBeGreaterThan(before + 100));
      await postgres.kill();
      expect((await fetch(`${server.url}/ready`)).status).toBe(503);
      await eventually(async () => {
        const { errors } = await server.run('ada', '{ channel(name: "general") { id } }');
        expect(errors?.[0]?.extensions).toEqual({ code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) });
      });
      const refused = await server.events('ada', { query: follow });
      expect((await refused.response).statusCode).toBe(503);
      // A refusal would be final: stock clients do not come back from 4403.
      const unknown = new SocketClient(`${server.url}/graphql`, {
        token: await server.token(`new ${round}`),
      });
      expect(await unknown.closed).toEqual({ code: 1013, reason: 'Try again later' });
      postgres = await startPostgres(programs, postgres);
    }
    isOver = true;
    await Promise.all(senders);
    await server.ask('ada', send, { body: 'the end' });

    await eventually(() => {
      for (const list of heard) expect(list.at(-1)).toBe('the end');
    });
    expect(heard[0]).toEqual(heard[1]);
    expect(new Set(heard[0]).size).toBe(heard[0]!.length);
    expect(sent.filter((body) => !heard[0]!.includes(body))).toEqual([]);
    expect([...codes]).toEqual(['UNAVAILABLE']);
    socket.cut();
    events.cut();
    await Promise.all(hearing);
    await server.close();
    await postgres.stop();
  });
});

describe('a mutation that loses its connection to PostgreSQL', () => {
  const ada = { id: 'ada', roles: [] };
  let direct: Database;
  let wire: Wire;
  let drop: () => Promise<void>;

  beforeEach(async () => {
    const fresh = await freshDatabase();
    drop = fresh.drop;
    direct = openPostgres(fresh.url);
    await migrate(direct);
    await direct.query(`insert into users (id, name) values ('ada', 'Ada')`);
    wire = await wireTo(fresh.url);
  });
  afterEach(async () => {
    await direct.close();
    wire.close();
    await drop();
  });

  /** The heart has half a second from beat to beat: by then, whatever goes on elsewhere has gone there. */
  async function twoBeats() {
    const before = wire.beats;
    await eventually(() => expect(wire.beats).toBeGreaterThan(before + 1));
  }

  const count = async (table: string) =>
    (await direct.query<{ count: number }>(`select count(*)::int as count from ${table}`))[0]!.count;

  test('leaves nothing behind when the connection was just being opened', async () => {
    wire.breakOn('application_name', (client) => client.end(startingUp));
    const database = openPostgres(wire.url);
    const channels = createChannels({ database, committed: () => {} });

    const refusal = await channels.create(ada, { name: 'general' }).catch((error: unknown) => error);
    await twoBeats();
    expect(await Promise.all(['channels', 'channel_members', 'realtime_outbox'].map(count))).toEqual([
      0, 0, 0,
    ]);
    expect(sqlState(refusal)).toBe('57P03');

    expect((await channels.create(ada, { name: 'general' })).name).toBe('general');
    expect(await count('channel_members')).toBe(1);
    await database.close();
  });

  test('leaves nothing behind when the connection is cut before all of it was sent', async () => {
    const database = openPostgres(wire.url);
    const positions = new Positions([{ id: '00'.repeat(8), key: Buffer.alloc(32), until: null }]);
    const parts = { database, positions, sending: async () => () => {}, committed: () => {} };
    await createChannels(parts).create(ada, { name: 'general' });

    wire.breakOn('for key share', (client) => client.resetAndDestroy());
    const messages = createMessages(parts);
    const lost = messages.send(ada, { channel: 'general', body: 'lost' });
    await expect(lost).rejects.toSatisfy(isAway);
    await twoBeats();
    expect(await count('messages')).toBe(0);

    expect((await messages.send(ada, { channel: 'general', body: 'sent' })).body).toBe('sent');
    expect(await count('messages')).toBe(1);
    await database.close();
  });
});

interface Wire {
  readonly url: string;
  /** How often the server was asked whether it is there. */
  readonly beats: number;
  /** Once: nothing arrives of what holds these words, and whoever said it is broken with. */
  breakOn(words: string, breakWith: (client: Socket) => void): void;
  close(): void;
}

async function wireTo(url: string): Promise<Wire> {
  const { hostname, port } = new URL(url);
  const open = new Set<Socket>();
  let breaking: Parameters<Wire['breakOn']> | null = null;
  let beats = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    upstream.pipe(client);
    let isHeart = false;
    client.on('data', (said) => {
      // Later ones name the statement and do not repeat it.
      isHeart ||= said.includes('select 1\0');
      if (isHeart) beats += 1;
      if (!breaking || !said.includes(breaking[0])) return void upstream.write(said);
      const [, breakWith] = breaking;
      breaking = null;
      upstream.unpipe(client).destroy();
      breakWith(client);
    });
    for (const socket of [client, upstream]) open.add(socket.on('error', () => {}));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = new URL(url);
  own.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: own.href,
    get beats() {
      return beats;
    },
    breakOn: (...request) => {
      breaking = request;
    },
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** An ErrorResponse of PostgreSQL's protocol. */
const startingUp = (() => {
  const fields = Buffer.from('SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0');
  const head = Buffer.from('E\0\0\0\0');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
})();

async function hear(stream: Stream, heard: string[]): Promise<void> {
  for (let frame = await stream.frame(); frame; frame = await stream.frame()) {
    if (frame.type !== 'next' || !frame.payload.data) throw new Error(JSON.stringify(frame));
    heard.push(frame.payload.data.channelMessage.body);
  }
}

/** Tries each message until it is answered; the same `clientId` keeps it from appearing twice. */
async function sendAll(
  server: TestServer,
  sender: number,
  isOver: () => boolean,
  sent: string[],
  codes: Set<string>,
): Promise<void> {
  for (let index = 0; !isOver(); index += 1) {
    const body = `${sender}.${index}`;
    await eventually(async () => {
      const { errors } = await server.run('ada', send, { body });
      for (const { extensions } of errors ?? []) codes.add(extensions.code);
      expect(errors).toBeUndefined();
    });
    sent.push(body);
  }
}
