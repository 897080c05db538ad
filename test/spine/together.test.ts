import postgres from 'postgres';
import { describe, expect, test } from 'vitest';
import { databases, testServer } from '../support/server.ts';

const send =
  'mutation ($channel: String!, $body: String!, $clientId: String, $replyToId: ID) { sendMessage(input: { channel: $channel, body: $body, clientId: $clientId, replyToId: $replyToId }) { id body sender { name } } }';
const notify = `mutation ($userId: ID!, $key: String) { sendNotification(input: { userId: $userId, title: "t", message: "m", dedupeKey: $key }) { id } }`;

describe.each(databases)('what is sent at the same moment, on %s,', (kind) => {
  test('is answered and refused one by one', async () => {
    const server = await testServer(kind);
    await server.run('ada', 'mutation { createChannel(input: { name: "ours" }) { id } }');
    await server.run('bob', 'mutation { createChannel(input: { name: "theirs", kind: PRIVATE }) { id } }');
    const asked = Array.from({ length: 40 }, (_, index) => {
      const variables = { body: `message ${index}`, channel: 'ours' };
      if (index % 4 === 1) return server.run('ada', send, { ...variables, channel: 'theirs' });
      if (index % 4 === 2) return server.run('ada', send, { ...variables, replyToId: 'nothing' });
      if (index % 4 === 3) return server.run('ada', send, { ...variables, clientId: 'the same' });
      return server.run('ada', send, variables);
    });
    const answers = await Promise.all(asked);

    const of = (rest: number) => answers.filter((_, index) => index % 4 === rest);
    expect(of(0).map(({ data }) => data.sendMessage.body)).toEqual(
      of(0).map((_, index) => `message ${index * 4}`),
    );
    for (const { errors } of [...of(1), ...of(2)]) expect(errors![0]!.extensions.code).toBe('NOT_FOUND');
    expect(new Set(of(3).map(({ data }) => data.sendMessage.id)).size).toBe(1);
    await server.close();
  });

  test('is one notification for each key, and none for who does not exist', async () => {
    const server = await testServer(kind);
    await server.run('ada', '{ viewer { id } }');
    const asked = Array.from({ length: 30 }, (_, index) => {
      const userId = index % 3 === 2 ? 'nobody' : 'ada';
      return server.run('robot', notify, { userId, key: index % 3 === 1 ? 'once' : null }, ['service']);
    });
    const answers = await Promise.all(asked);

    const of = (rest: number) => answers.filter((_, index) => index % 3 === rest);
    expect(new Set(of(0).map(({ data }) => data.sendNotification.id)).size).toBe(10);
    expect(new Set(of(1).map(({ data }) => data.sendNotification.id)).size).toBe(1);
    for (const { errors } of of(2)) expect(errors![0]!.extensions.code).toBe('NOT_FOUND');
    const { data } = await server.run('ada', '{ notifications { totalCount } }');
    expect(data.notifications.totalCount).toBe(11);
    await server.close();
  });
});

describe('a channel that somebody holds', () => {
  test('holds up its own messages and no others', async () => {
    const server = await testServer('postgres');
    for (const name of ['held', 'free']) {
      await server.run('ada', `mutation { createChannel(input: { name: "${name}" }) { id } }`);
    }
    const sql = postgres(server.databaseUrl!, { max: 1, onnotice: () => {} });
    const held = await sql.reserve();
    await held`begin`;
    await held`select from channels where name = 'held' for update`;

    const waiting = server.run('ada', send, { channel: 'held', body: 'waits' });
    const bodies = Array.from({ length: 20 }, (_, index) => `goes ${index}`);
    const free = await Promise.all(bodies.map((body) => server.run('ada', send, { channel: 'free', body })));
    expect(free.map(({ data }) => data.sendMessage.body)).toEqual(bodies);
    const later = await server.run('ada', send, { channel: 'free', body: 'later' });
    expect(later.data.sendMessage.body).toBe('later');
    expect(await Promise.race([waiting, 'still waits'])).toBe('still waits');

    await held`rollback`;
    held.release();
    expect((await waiting).data.sendMessage.body).toBe('waits');
    await sql.end();
    await server.close();
  });

  test('and one that the database refuses, fail alone', async () => {
    const server = await testServer('postgres');
    await server.run('ada', 'mutation { createChannel(input: { name: "ours" }) { id } }');
    const sql = postgres(server.databaseUrl!, { max: 1, onnotice: () => {} });
    await sql`alter table messages add check (body <> 'unlucky')`;

    const bodies = Array.from({ length: 20 }, (_, index) => (index === 7 ? 'unlucky' : `message ${index}`));
    const answers = await Promise.all(
      bodies.map((body) => server.run('ada', send, { channel: 'ours', body })),
    );
    answers.forEach(({ data, errors }, index) => {
      if (index === 7) expect(errors![0]!.extensions.code).toBe('INTERNAL_SERVER_ERROR');
      else expect(data.sendMessage.body).toBe(`message ${index}`);
    });
    const [row] = await sql`select count(*)::int as count from messages`;
    expect(row!.count).toBe(19);
    await sql.end();
    await server.close();
  });
});
