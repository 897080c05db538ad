import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type TestServer, testServer } from '../support/server.ts';

const [sockets, subscriptions] = [20, 100];
const create = (name: string) => `mutation { createChannel(input: { name: "${name}" }) { id } }`;
const send = (channel: string, body: string) =>
  `mutation { sendMessage(input: { channel: "${channel}", body: "${body}" }) { id } }`;

let server: TestServer;
beforeAll(async () => {
  server = await testServer('embedded', {
    MAX_CONNECTIONS_PER_USER: String(sockets),
    CONNECTION_RATE_PER_IP: '60/1m',
    SOCKET_MESSAGE_RATE: '300/1s',
    OPERATION_RATE_PER_USER: '600/1m',
  });
  await server.ask('owner', create('common'));
  await server.ask('owner', create('left'));
});
afterAll(() => server.close());

const open = async () => (await server.metric('realtime_subscriptions{field="channelMessage"}')) ?? 0;

test('a user who comes back with everything at once is refused nothing', async () => {
  const clients = await Promise.all(Array.from({ length: sockets }, () => server.socket('alice')));
  onTestFinished(() => clients.forEach((client) => void client.cut()));
  const query = 'subscription On($channel: String!) { channelMessage(channel: $channel) { body } }';
  const streams = clients.flatMap((client) =>
    Array.from({ length: subscriptions }, () => client.run({ query, variables: { channel: 'common' } })),
  );
  await eventually(async () => expect(await open()).toBe(sockets * subscriptions), 120_000);
  await server.ask('owner', send('common', 'to all'));
  for (const stream of streams) expect((await stream.next()).data.channelMessage.body).toBe('to all');
});

test('what is left before its turn is not opened, and not answered', async () => {
  const client = await server.socket('bob');
  onTestFinished(() => client.cut());
  const listen = (channel: string) => ({
    query: `subscription { channelMessage(channel: "${channel}") { body } }`,
  });
  const answers: string[] = [];
  client.socket.on('message', (frame) => answers.push(JSON.parse(String(frame)).type));
  // Every other one would be refused.
  for (let index = 0; index < 50; index += 1)
    client.run(listen(index % 2 === 0 ? 'left' : 'nowhere')).leave();
  const kept = client.run(listen('left'));
  // A query waits until what was subscribed to before it is attached.
  await client.run({ query: '{ viewer { id } }' }).next();
  await server.ask('owner', send('left', 'to who stayed'));
  expect((await kept.next()).data.channelMessage.body).toBe('to who stayed');
  expect(answers).toEqual(['next', 'complete', 'next']);
});
