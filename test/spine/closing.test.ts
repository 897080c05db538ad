import { describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { testServer } from '../support/server.ts';
import { SocketClient } from '../support/websocket.ts';

const follow = 'subscription { channelMessage(channel: "general") { body } }';
const create = 'mutation { createChannel(input: { name: "general" }) { id } }';
const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body }) { id } }';

describe('a client that leaves', () => {
  test('leaves nothing behind, after 1,000 of them in every way there is', { timeout: 120_000 }, async () => {
    const server = await testServer('embedded');
    await server.ask('ada', create);
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
    await server.close();
  });
});

describe.each(['WebSocket', 'SSE'])('a reader over %s that does not read', (wire) => {
  test('costs bounded memory, and gets everything when it reads again', { timeout: 120_000 }, async () => {
    const server = await testServer('embedded');
    await server.ask('ada', create);
    const count = 3_000;
    const padding = 'x'.repeat(8_000);
    const { pause, resume, next, close } = wire === 'SSE' ? await frozenStream() : await frozenSocket();
    pause();
    const before = collected();
    const socket = await server.socket('ada');
    for (let index = 0; index < count; index += 20) {
      const sent = Array.from({ length: 20 }, (_, offset) =>
        socket.run({ query: send, variables: { body: `${index + offset} ${padding}` } }).next(),
      );
      await Promise.all(sent);
    }
    expect(collected() - before).toBeLessThan(150 * 1_024 * 1_024);

    resume();
    const heard = new Set<string>();
    while (heard.size < count) heard.add((await next()).data.channelMessage.body.split(' ')[0]);
    expect(heard.size).toBe(count);
    await close();
    await socket.close();
    await server.close();

    async function frozenSocket() {
      const client = new SocketClient(`${server.url}/graphql`, { token: await server.token('ada') });
      await client.acknowledged;
      const stream = client.run({ query: follow });
      await client.run({ query: '{ viewer { id } }' }).next();
      return {
        pause: () => client.socket.pause(),
        resume: () => client.socket.resume(),
        next: () => stream.next(),
        close: () => client.close(),
      };
    }

    async function frozenStream() {
      const client = await server.events('ada', { query: follow });
      await client.opened;
      const response = await client.response;
      return {
        pause: () => response.socket.pause(),
        resume: () => response.socket.resume(),
        next: () => client.stream.next(),
        close: async () => client.cut(),
      };
    }
  });
});

/** Resident memory: what the operating system counts. */
function collected(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}
