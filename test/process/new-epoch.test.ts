import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { buildMain } from '../support/node-process.ts';
import { postgresUrl, type TestServer, testServer } from '../support/server.ts';

const run = promisify(execFile);
const follow =
  'subscription Follow($after: Position) { channelMessage(channel: "general", after: $after) { body } }';
const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body }) { id } }';

/** `npm run new-epoch`, as it is built. */
async function newEpoch(databaseUrl: string): Promise<string> {
  const command = (await buildMain()).replace(/main\.js$/, 'cli/new-epoch.js');
  const env = { PATH: process.env.PATH, DATABASE_URL: databaseUrl };
  return (await run(process.execPath, [command], { env })).stdout;
}

/** Sends one, and answers the position that its event is told with. */
async function positionOf(server: TestServer, body: string): Promise<string> {
  const socket = await server.socket('ada');
  const stream = socket.run({ query: follow });
  await socket.run({ query: '{ viewer { id } }' }).next();
  await server.ask('ada', send, { body });
  const { extensions } = await stream.next();
  await socket.close();
  return extensions!.position;
}

const first = async (server: TestServer, after: string) => {
  const socket = await server.socket('ada');
  const payload = await socket.run({ query: follow, variables: { after } }).next();
  await socket.close();
  return payload.errors?.[0]?.extensions.code ?? payload.data.channelMessage.body;
};

test('after a restore into the same server, positions that were never given out there are expired, and others go on', async () => {
  const { url, drop } = await freshDatabase();
  const name = new URL(url).pathname.slice(1);
  const admin = postgres(postgresUrl(), { max: 1, onnotice: () => {} });
  onTestFinished(async () => {
    await admin.unsafe(`drop database if exists ${name}_backup`);
    await admin.end();
    await drop();
  });
  const original = await testServer('postgres', {}, url);
  await original.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
  const kept = await positionOf(original, 'kept');
  await original.ask('ada', send, { body: 'kept as well' });
  await eventually(async () => expect(await original.sql('select from realtime_outbox')).toEqual([]));
  await original.close();
  await admin.unsafe(`create database ${name}_backup template ${name}`);

  const goneOn = await testServer('postgres', {}, url);
  const lost = await positionOf(goneOn, 'lost');
  await goneOn.close();
  await admin.unsafe(`drop database ${name} with (force)`);
  await admin.unsafe(`create database ${name} template ${name}_backup`);
  expect(await newEpoch(url)).toContain('A new epoch has begun.');

  const restored = await testServer('postgres', {}, url);
  await restored.ask('ada', send, { body: 'in the place of what was lost' });
  await restored.ask('ada', send, { body: 'and more' });
  expect(await first(restored, lost)).toBe('POSITION_EXPIRED');
  expect(await first(restored, kept)).toBe('kept as well');
  await restored.close();
});

test('nodes that run notice, and their subscriptions go on', async () => {
  const { url, drop } = await freshDatabase();
  const nodes = [await testServer('postgres', {}, url), await testServer('postgres', {}, url)];
  onTestFinished(async () => {
    for (const node of nodes) await node.close();
    await drop();
  });
  await nodes[0]!.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
  const sockets = await Promise.all(nodes.map((node) => node.socket('ada')));
  const streams = sockets.map((socket) => socket.run({ query: follow }));
  for (const socket of sockets) await socket.run({ query: '{ viewer { id } }' }).next();
  await nodes[0]!.ask('ada', send, { body: 'before' });
  const before = await Promise.all(streams.map((stream) => stream.next()));
  await newEpoch(url);
  await nodes[1]!.ask('ada', send, { body: 'behind' });

  const heard = await Promise.all(streams.map((stream) => stream.next()));
  expect(heard.map(({ data }) => data.channelMessage.body)).toEqual(['behind', 'behind']);
  expect(new Set(heard.map(({ extensions }) => extensions!.position)).size).toBe(1);
  for (const { extensions } of before) expect(await first(nodes[1]!, extensions!.position)).toBe('behind');
  for (const socket of sockets) await socket.close();
});
