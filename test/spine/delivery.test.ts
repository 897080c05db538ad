import { describe, expect, test } from 'vitest';
import { databases, type TestServer, testServer } from '../support/server.ts';
import type { OperationRequest, Payload } from '../support/websocket.ts';

const messages = 2_000;
const senders = 16;
const perWire = 10;

const document =
  'subscription Follow($after: Position) { channelMessage(channel: "general", after: $after) { body } }';
const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body }) { id } }';

/** What a listener holds, and how it goes on from there. */
interface Held {
  bodies: string[];
  position: string | undefined;
}

describe.each(databases)('ten subscribers over each wire, on %s', (kind) => {
  test('hold the same list, whatever they dropped and however they resumed', async () => {
    const server = await testServer(kind);
    try {
      await server.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
      const { position } = await server.ask('ada', '{ position }');
      const sockets = Array.from({ length: perWire }, (_, index) => listenBySocket(server, index, position));
      const streams = Array.from({ length: perWire }, (_, index) => listenByStream(server, index, position));
      const listeners = Promise.all([...sockets, ...streams]);
      await Promise.all(Array.from({ length: senders }, (_, index) => sendAll(server, index)));

      const [first, ...others] = await listeners;
      expect(new Set(first!.bodies).size).toBe(messages);
      expect(first!.bodies).toHaveLength(messages);
      for (const { bodies } of others) expect(bodies).toEqual(first!.bodies);
    } finally {
      await server.close();
    }
  });
});

async function sendAll(server: TestServer, sender: number): Promise<void> {
  const socket = await server.socket('ada');
  for (let index = sender; index < messages; index += senders) {
    const { errors } = await socket.run({ query: send, variables: { body: `message ${index}` } }).next();
    expect(errors).toBeUndefined();
  }
  await socket.close();
}

/** Drops after a random number of payloads, and resumes in one of the ways that there are. */
async function listenBySocket(server: TestServer, index: number, position: string): Promise<Held> {
  const held: Held = { bodies: [], position };
  const ways = [byArgument, byExtensions, byBoth(position)];
  for (let round = index; held.bodies.length < messages; round += 1) {
    const socket = await server.socket('ada');
    const stream = socket.run(ways[round % ways.length]!(held.position));
    await take(held, () => stream.next());
    socket.cut();
    await socket.closed;
  }
  return held;
}

async function listenByStream(server: TestServer, index: number, position: string): Promise<Held> {
  const held: Held = { bodies: [], position };
  for (let round = index; held.bodies.length < messages; round += 1) {
    const byHeader = round % 2 === 0;
    const operation = byHeader ? { query: document } : byArgument(held.position);
    const headers = byHeader ? { 'last-event-id': held.position! } : {};
    const client = await server.events('ada', operation, headers as Record<string, string>);
    await take(held, () => client.stream.next());
    client.cut();
    await client.ended;
  }
  return held;
}

async function take(held: Held, next: () => Promise<Payload>): Promise<void> {
  const until = Math.min(messages, held.bodies.length + 1 + Math.floor(Math.random() * 400));
  while (held.bodies.length < until) {
    const { data, extensions } = await next();
    held.bodies.push(data.channelMessage.body);
    held.position = extensions!.position;
  }
}

const byArgument = (after: string | undefined): OperationRequest => ({
  query: document,
  variables: { after },
});

const byExtensions = (after: string | undefined): OperationRequest => ({
  query: document,
  extensions: { after },
});

/** As stock clients do: the old variables again, and the news beside them. */
const byBoth =
  (first: string) =>
  (after: string | undefined): OperationRequest => ({
    query: document,
    variables: { after: first },
    extensions: { after },
  });

describe.each(databases)('a client on %s', (kind) => {
  // The embedded database has one connection for everything, and takes four times as long.
  const rounds = kind === 'embedded' ? 50 : 200;

  test(`that sends right behind its subscribe hears it, once, ${10 * rounds} times`, async () => {
    const server = await testServer(kind);
    // Alone, and beside others: what they send is relayed in the same batches.
    await goRounds(server, 'alone', 2 * rounds);
    await Promise.all(Array.from({ length: 8 }, (_, lane) => goRounds(server, `lane-${lane}`, rounds)));
    await server.close();
  });

  test('hears everything from the position of its connection on', async () => {
    const server = await testServer(kind);
    await server.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
    const socket = await server.socket('ada');
    const { position } = await socket.acknowledged;
    for (const body of ['one', 'two', 'three']) await server.ask('ada', send, { body });

    const heard = await socket.run({ query: document, variables: { after: position } }).take(3);
    expect(heard.map(({ data }) => data.channelMessage.body)).toEqual(['one', 'two', 'three']);
    await socket.close();
    await server.close();
  });

  test('that subscribes from now on hears nothing of what was answered before', async () => {
    const server = await testServer(kind);
    await server.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
    const socket = await server.socket('ada');
    for (let index = 0; index < 100; index += 1) {
      await server.ask('ada', send, { body: `before ${index}` });
      const stream = socket.run({ query: document });
      await socket.run({ query: send, variables: { body: `after ${index}` } }).next();
      expect((await stream.next()).data.channelMessage.body).toBe(`after ${index}`);
      stream.leave();
    }
    await socket.close();
    await server.close();
  });
});

async function goRounds(server: TestServer, channel: string, count: number): Promise<void> {
  await server.ask('ada', `mutation { createChannel(input: { name: "${channel}" }) { id } }`);
  const socket = await server.socket('ada');
  const [subscribe, sendThere] = [document, send].map((query) => query.replace('general', channel));

  const round = async (index: number) => {
    const stream = socket.run({ query: subscribe! });
    const sent = socket.run({ query: sendThere!, variables: { body: `message ${index}` } });
    const { data } = await stream.next();
    await sent.next();
    stream.leave();
    return {
      heard: data.channelMessage.body,
      more: stream.waiting.filter(({ type }) => type === 'next').length,
    };
  };

  for (let index = 0; index < count; index += 1) {
    expect(await round(index)).toEqual({ heard: `message ${index}`, more: 0 });
  }
  await socket.close();
}
