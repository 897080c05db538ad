import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const follow =
  'subscription Follow($after: Position) { channelMessage(channel: "general", after: $after) { body } }';
const create = 'mutation { createChannel(input: { name: "general" }) { id } }';
const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body }) { id } }';

describe.each(databases)('a position on %s', (kind) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer(kind);
    await server.ask('ada', create);
  });
  afterAll(() => server.close());

  test('of another database is refused with POSITION_EXPIRED, and the socket lives on', async () => {
    const other = await testServer('embedded');
    const { position } = await other.ask('ada', '{ position }');
    await other.close();
    const socket = await server.socket('ada');
    const stream = socket.run({ query: follow, variables: { after: position } });

    expect((await stream.next()).errors?.[0]?.extensions.code).toBe('POSITION_EXPIRED');
    expect(await stream.frame()).toMatchObject({ type: 'complete' });
    expect((await socket.run({ query: '{ viewer { id } }' }).next()).data.viewer.id).toBe('ada');
    await socket.close();
  });

  test.each([
    ['a word', 'garbage'],
    ['empty', ''],
    ['too long', 'x'.repeat(2_000)],
    ['of the right length', 'A'.repeat(38)],
  ])('that is none (%s) is refused with BAD_USER_INPUT on both wires', async (_name, after) => {
    const socket = await server.socket('ada');
    const byArgument = await socket.run({ query: follow, variables: { after } }).next();
    const byExtensions = await socket.run({ query: follow, extensions: { after } }).next();
    const stream = await server.events('ada', { query: follow, variables: { after } });

    for (const { errors } of [byArgument, byExtensions, await stream.stream.next()]) {
      expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
    }
    expect(await stream.ended).toBe('complete');
    await socket.close();
  });

  test('with one character changed is refused', async () => {
    const { position } = await server.ask('ada', '{ position }');
    const changed = position.slice(0, 20) + (position[20] === 'A' ? 'B' : 'A') + position.slice(21);
    const socket = await server.socket('ada');

    const { errors } = await socket.run({ query: follow, variables: { after: changed } }).next();
    expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
    await socket.close();
  });

  test('of a quiet topic still works after much has happened elsewhere', async () => {
    await server.ask('ada', 'mutation { createChannel(input: { name: "busy" }) { id } }');
    const { position } = await server.ask('ada', '{ position }');
    for (let first = 0; first < 300; first += 10) {
      const ten = Array.from({ length: 10 }, (_, index) => {
        return `m${index}: sendMessage(input: { channel: "busy", body: "${first + index}" }) { id }`;
      });
      await server.ask('ada', `mutation { ${ten.join(' ')} }`);
    }
    await server.ask('ada', send, { body: 'at last' });
    const socket = await server.socket('ada');

    const { data } = await socket.run({ query: follow, variables: { after: position } }).next();
    expect(data.channelMessage.body).toBe('at last');
    await socket.close();
  });

  test.each([
    ['in the middle of a topic', 1],
    ['at its end', 2],
  ])('is never silently continued from across what is gone %s', async (_where, gone) => {
    const name = `holed-${gone}`;
    await server.ask('ada', `mutation { createChannel(input: { name: "${name}" }) { id } }`);
    const { position } = await server.ask('ada', '{ position }');
    for (let index = 0; index < 3; index += 1) {
      await server.ask(
        'ada',
        `mutation { sendMessage(input: { channel: "${name}", body: "${index}" }) { id } }`,
      );
    }
    await eventually(async () => expect(await server.sql('select from realtime_outbox')).toEqual([]));
    await server.sql(`delete from realtime_events
      where event_type = 'message.sent' and recipient_id = '${name}' and payload ->> 'body' = '${gone}'`);
    const query = `subscription Follow($after: Position) { channelMessage(channel: "${name}", after: $after) { body } }`;
    // Another process, which has not heard of any of it.
    const other = await testServer(kind, {}, server.databaseUrl ?? undefined);
    const asked = server.databaseUrl ? other : server;
    const socket = await asked.socket('ada');

    const frame = await socket.run({ query, variables: { after: position } }).frame();
    expect(frame).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'POSITION_EXPIRED' } }] });
    await socket.close();
    await other.close();
  });

  test('opens an event stream before anything else', async () => {
    const stream = await server.events('ada', { query: follow });
    const opened = await stream.opened;
    await server.ask('ada', send, { body: 'hello' });

    expect(stream.blocks[0]).toEqual({ id: opened });
    expect((await stream.stream.next()).data.channelMessage.body).toBe('hello');
    expect(stream.blocks[1]).toMatchObject({ event: 'next', id: expect.stringMatching(/^\S+$/) });
    stream.cut();
    const again = await server.events('ada', { query: follow }, { 'last-event-id': opened });
    expect((await again.stream.next()).data.channelMessage.body).toBe('hello');
    again.cut();
  });
});

describe.each(databases)('a trimmed position on %s', (kind) => {
  test('is told apart from a position of a topic that was merely quiet', async () => {
    const server = await testServer(kind, { JOURNAL_RETENTION: '4s' });
    await server.ask('ada', create);
    await server.ask('ada', 'mutation { createChannel(input: { name: "quiet" }) { id } }');
    const { position } = await server.ask('ada', '{ position }');
    await server.ask('ada', send, { body: 'soon gone' });
    const socket = await server.socket('ada');

    await eventually(async () => {
      const stream = socket.run({ query: follow, variables: { after: position } });
      const frame = await stream.frame();
      stream.leave();
      expect(frame).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'POSITION_EXPIRED' } }] });
    }, 60_000);
    const quiet = socket.run({ query: follow.replace('general', 'quiet'), variables: { after: position } });
    await server.ask('ada', send.replace('general', 'quiet'), { body: 'first' });
    expect((await quiet.next()).data.channelMessage.body).toBe('first');
    await socket.close();
    await server.close();
  });
});

describe.each(databases)('a deleted message on %s', (kind) => {
  test('is replayed without its content, from memory and from the journal alike', async () => {
    const server = await testServer(kind);
    await server.ask('ada', create);
    const { position } = await server.ask('ada', '{ position }');
    const { sendMessage } = await server.ask('ada', send, { body: 'secret' });
    const query = follow.replace('body', 'body deletedAt');
    const socket = await server.socket('ada');
    const live = socket.run({ query, variables: { after: position } });
    expect((await live.next()).data.channelMessage.body).toBe('secret');
    await server.ask('ada', 'mutation Delete($id: ID!) { deleteMessage(id: $id) { id } }', {
      id: sendMessage.id,
    });
    expect((await live.next()).data.channelMessage).toMatchObject({
      body: '',
      deletedAt: expect.any(String),
    });

    const [fromMemory] = await socket.run({ query, variables: { after: position } }).take(2);
    live.leave();
    await socket.close();
    await eventually(async () => expect(await server.metric('realtime_topics')).toBe(1));
    const other = await server.socket('ada');
    const [fromJournal] = await other.run({ query, variables: { after: position } }).take(2);
    for (const replayed of [fromMemory, fromJournal]) {
      expect(replayed!.data.channelMessage).toMatchObject({ body: '', deletedAt: expect.any(String) });
    }
    await other.close();
    await server.close();
  });
});
