import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { startRedis } from '../support/redis-server.ts';
import { testServer } from '../support/server.ts';

const page = readFileSync(new URL('../../docs/deploy.md', import.meta.url), 'utf8');
/** What the page says a user of Redis needs. */
const rights = page.match(/A user for it needs ([^.]*)\./)![1]!.match(/[&~+][^\s`,]+/g)!;

test('a user of Redis with the rights that the documents name carries events and counts, and asks for no others', async () => {
  expect(rights).toContain('&*');
  expect(rights.length).toBeGreaterThan(15);
  const redis = await startRedis();
  const admin = new Redis(redis.url);
  await admin.call('acl', 'setuser', 'realtime', 'on', '>secret', ...rights);
  const server = await testServer('postgres', {
    REDIS_URL: redis.url.replace('redis://', 'redis://realtime:secret@'),
    OPERATION_RATE_PER_USER: '20/1m',
    MESSAGE_RATE_PER_USER: '10/10s',
  });
  onTestFinished(async () => {
    await server.close();
    admin.disconnect();
    await redis.stop();
  });
  await server.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
  const { stream } = await server.events('ada', {
    query: 'subscription { channelMessage(channel: "general") { body } }',
  });
  const send = (body: string) =>
    `mutation { sendMessage(input: { channel: "general", body: "${body}" }) { id } }`;
  await server.ask('ada', send('hello'));
  expect((await stream.next()).data).toEqual({ channelMessage: { body: 'hello' } });
  const codes = [];
  for (let count = 0; count < 25; count += 1) {
    const { errors } = await server.run('ada', send('again'));
    codes.push(errors?.[0]?.extensions.code);
  }

  expect(codes).toContain('RATE_LIMITED');
  // Counted there, and not by the node alone.
  expect((await admin.keys('realtime:*')).length).toBeGreaterThan(0);
  expect(await admin.call('acl', 'log')).toEqual([]);
});
