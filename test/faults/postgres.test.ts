import { describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { findPrograms, type OwnPostgres, startPostgres } from '../support/postgres-server.ts';
import { type TestServer, testServer } from '../support/server.ts';
import type { Stream } from '../support/websocket.ts';
import { SocketClient } from '../support/websocket.ts';

const follow = 'subscription { channelMessage(channel: "general") { body } }';
const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body, clientId: $body }) { id } }';

describe('a PostgreSQL that is stopped hard and comes back, three times', () => {
  test('ends no subscription, and loses and repeats nothing', { timeout: 120_000 }, async () => {
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
      await eventually(() => expect(sent.length).toBeGreaterThan(before + 100), 20_000);
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
    }, 20_000);
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
    }, 30_000);
    sent.push(body);
  }
}
