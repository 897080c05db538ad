import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Caller, callerOf } from '../support/caller.ts';
import { preparedDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { spawnServer } from '../support/process.ts';
import { secret } from '../support/server.ts';
import type { Payload } from '../support/websocket.ts';

const follow = 'subscription { channelMessage(channel: "general") { body } }';
const create = 'mutation { createChannel(input: { name: "general" }) { id } }';
const followAll = 'subscription { channelMessage(channel: "general") { body data } }';
const send =
  'mutation Send($body: String!, $data: JSON) { sendMessage(input: { channel: "general", body: $body, data: $data }) { id } }';

/** In a process of its own: what it holds is its own. */
let server: Caller;
let close: () => Promise<void>;

beforeEach(async () => {
  const database = await preparedDatabase();
  const process = await spawnServer({ DATABASE_URL: database.url, DRAIN_SECONDS: '0' });
  server = callerOf(process.url, secret);
  await server.ask('ada', create);
  close = async () => {
    process.signal('SIGTERM');
    await process.ended;
    await database.drop();
  };
});
afterEach(() => close());

describe('a client that leaves', () => {
  test('leaves nothing behind, after 1,000 of them in every way there is', async () => {
    const come = async (index: number) => {
      if (index % 4 === 0) {
        const stream = await server.events('ada', { query: follow });
        if (index % 8 === 0) await stream.opened;
        stream.cut();
        return stream.ended;
      }
      const socket = await server.socket('ada');
      const stream = socket.run({ query: follow });
      socket.run({ query: 'subscription { eventReceived { type } }' });
      socket.run({ query: 'subscription { notificationReceived { id } }' });
      if (index % 4 === 1) await socket.run({ query: '{ viewer { id } }' }).next();
      if (index % 4 === 2) stream.leave();
      if (index % 4 === 3) socket.cut();
      return socket.close();
    };
    for (let index = 0; index < 1_000; index += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, offset) => come(index + offset)));
    }

    await eventually(async () => {
      expect(await server.metric('realtime_groups')).toBe(0);
      expect(await server.metric('realtime_topics')).toBe(1);
      expect(await server.metric('realtime_subscriptions{field="channelMessage"}')).toBeUndefined();
      expect(await server.metric('realtime_connections{transport="websocket"}')).toBe(0);
      expect(await server.metric('realtime_connections{transport="sse"}')).toBe(0);
      // The timers of the server itself: the hub's and the relay's.
      expect(await server.metric('nodejs_active_resources{type="Timeout"}')).toBeLessThan(20);
    });
  });
});

describe.each([
  ['WebSocket', 'websocket', readSocket],
  ['SSE', 'sse', readEvents],
])('a reader over %s that does not read', (_wire, transport, open) => {
  test('costs bounded memory, and gets everything when it reads again', async () => {
    // Few and large: who has not read for too long is taken for gone.
    const count = 600;
    const data = 'x'.repeat(60_000);
    const reader = await open();
    reader.pause();
    const before = await residentMemory();
    const socket = await server.socket('ada');
    for (let index = 0; index < count; index += 20) {
      const sent = Array.from({ length: 20 }, (_, offset) =>
        socket.run({ query: send, variables: { body: String(index + offset), data } }).next(),
      );
      await Promise.all(sent);
    }
    expect((await residentMemory()) - before).toBeLessThan(150 * 1_024 * 1_024);
    // What the system's own buffers hold of it is a few megabytes.
    const delivered = await server.metric(`realtime_deliveries_total{transport="${transport}"}`);
    expect(delivered).toBeLessThan(count / 2);

    reader.resume();
    const heard = new Set<string>();
    while (heard.size < count) heard.add((await reader.next()).data.channelMessage.body);
    await reader.leave();
    await socket.close();
  });
});

interface Reader {
  pause(): void;
  resume(): void;
  next(): Promise<Payload>;
  leave(): Promise<unknown>;
}

async function readSocket(): Promise<Reader> {
  const client = await server.socket('ada');
  const stream = client.run({ query: followAll });
  await client.run({ query: '{ viewer { id } }' }).next();
  return {
    pause: () => client.socket.pause(),
    resume: () => client.socket.resume(),
    next: () => stream.next(),
    leave: () => client.close(),
  };
}

async function readEvents(): Promise<Reader> {
  const client = await server.events('ada', { query: followAll });
  await client.opened;
  const response = await client.response;
  return {
    pause: () => response.socket.pause(),
    resume: () => response.socket.resume(),
    next: () => client.stream.next(),
    leave: async () => client.cut(),
  };
}

/** What the operating system counts. */
async function residentMemory(): Promise<number> {
  return (await server.metric('process_resident_memory_bytes'))!;
}
