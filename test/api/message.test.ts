import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { databases, type TestServer, testServer } from '../support/server.ts';

const fields =
  '__typename id body data clientId sender { id } channel { id } replyTo { id body } editedAt deletedAt createdAt updatedAt';
const send = `mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { ${fields} } }`;
const edit = `mutation Edit($id: ID!, $body: String!) { editMessage(id: $id, body: $body) { ${fields} } }`;
const erase = `mutation Erase($id: ID!) { deleteMessage(id: $id) { ${fields} } }`;
const read = `query Read($name: String!) { channel(name: $name) { messages { edges { node { ${fields} } } } } }`;
const create =
  'mutation Create($name: String!) { createChannel(input: { name: $name, memberIds: ["bob"] }) { id } }';

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const unknownId = '0198c0de-0000-7000-8000-000000000000';

describe.each(databases)('a message on %s', (kind) => {
  let server: TestServer;
  let channel: string;
  let count = 0;

  beforeAll(async () => {
    server = await testServer(kind);
    await server.ask('bob', '{ viewer { id } }');
    channel = await freshChannel();
  });
  afterAll(() => server.close());

  async function freshChannel(): Promise<string> {
    count += 1;
    await server.ask('ada', create, { name: `channel-${count}` });
    return `channel-${count}`;
  }

  let said = 0;
  const hello = () => `hello ${++said}`;

  async function sent(input: object, sender = 'ada') {
    return (await server.ask(sender, send, { input: { channel, body: hello(), ...input } })).sendMessage;
  }

  async function outcome(...request: Parameters<TestServer['run']>): Promise<string> {
    return (await server.run(...request)).errors?.[0]?.extensions.code ?? 'yes';
  }

  const refusal = (input: object) => outcome('ada', send, { input: { channel, body: hello(), ...input } });

  async function messagesOf(name: string): Promise<any[]> {
    const { channel } = await server.ask('ada', read, { name });
    return channel.messages.edges.map(({ node }: { node: object }) => node);
  }

  test('that is sent is answered, and read again, with everything it has', async () => {
    const name = await freshChannel();
    const first = await sent({ channel: name, body: 'first' }, 'bob');
    const message = await sent({
      channel: name,
      body: 'second',
      data: { mood: ['good'] },
      replyToId: first.id,
      clientId: 'mine',
    });

    expect(message).toEqual({
      __typename: 'Message',
      id: expect.any(String),
      body: 'second',
      data: { mood: ['good'] },
      clientId: 'mine',
      sender: { id: 'ada' },
      channel: { id: name },
      replyTo: { id: first.id, body: 'first' },
      editedAt: null,
      deletedAt: null,
      createdAt: instant,
      updatedAt: instant,
    });
    expect(await messagesOf(name)).toEqual([first, message]);
  });

  describe('with data', () => {
    const values = [
      'text',
      '123',
      '"quoted"',
      'null',
      '',
      5,
      -0.5,
      0,
      1e21,
      true,
      false,
      [],
      {},
      [null, { a: [1] }],
    ];
    const literals = '"text" "123" 5 1.5 true false [] {} [null, { a: [1, "b"] }]';

    test.each(values)('%j keeps it unchanged, live and read again', async (data) => {
      const name = await freshChannel();
      const stream = await server.events('bob', {
        query: `subscription { channelMessage(channel: "${name}") { data } }`,
      });
      await stream.opened;

      expect((await sent({ channel: name, data })).data).toEqual(data);
      expect((await messagesOf(name))[0].data).toEqual(data);
      expect((await stream.stream.next()).data.channelMessage.data).toEqual(data);
      stream.cut();
    });

    test('written in the document keeps it unchanged', async () => {
      const query = `mutation { sendMessage(input: { channel: "${channel}", body: "b", data: [${literals}] }) { data } }`;
      const { sendMessage } = await server.ask('ada', query);
      expect(sendMessage.data).toEqual(['text', '123', 5, 1.5, true, false, [], {}, [null, { a: [1, 'b'] }]]);
    });

    test('of null has none', async () => {
      expect((await sent({ data: null })).data).toBeNull();
    });

    test('of 65,536 bytes and 32 levels is taken', async () => {
      const data = JSON.parse(`${'['.repeat(32)}"${'x'.repeat(65_536 - 66)}"${']'.repeat(32)}`);
      expect((await sent({ data })).data).toEqual(data);
    });

    test.each([
      ['of more than 65,536 bytes', 'x'.repeat(65_535), 'LIMIT_EXCEEDED'],
      ['of too many bytes in few characters', 'é'.repeat(40_000), 'LIMIT_EXCEEDED'],
      ['of 40 levels', JSON.parse('['.repeat(40) + ']'.repeat(40)), 'LIMIT_EXCEEDED'],
      ['of 1,000 levels', JSON.parse('['.repeat(1_000) + ']'.repeat(1_000)), 'LIMIT_EXCEEDED'],
      ['with a NUL character in a text', { a: ['b\u0000'] }, 'BAD_USER_INPUT'],
      ['with a NUL character in a name', { 'a\u0000': 1 }, 'BAD_USER_INPUT'],
      ['with half a character', { a: '\ud800' }, 'BAD_USER_INPUT'],
    ])('%s is refused with the right code', async (_title, data, code) => {
      expect(await refusal({ data })).toBe(code);
    });

    test('of very many levels over WebSocket is refused with LIMIT_EXCEEDED', async () => {
      const socket = await server.socket('ada');
      const stream = socket.run({ query: '{ viewer { id } }' }, 'deep');
      await stream.next();
      await stream.frame();
      const query = `mutation Send($data: JSON) { sendMessage(input: { channel: "${channel}", body: "b", data: $data }) { id } }`;
      const data = '['.repeat(5_000) + ']'.repeat(5_000);
      // As text: our own JSON.stringify would not go that deep.
      const payload = `{"query":${JSON.stringify(query)},"variables":{"data":${data}}}`;
      socket.socket.send(`{"id":"deep","type":"subscribe","payload":${payload}}`);

      expect(JSON.stringify(await stream.frame())).toContain('LIMIT_EXCEEDED');
      await socket.close();
    });

    test('of very many levels in the document is no failure of ours', async () => {
      const data = '['.repeat(5_000) + ']'.repeat(5_000);
      const query = `mutation { sendMessage(input: { channel: "${channel}", body: "b", data: ${data} }) { id } }`;
      expect(await outcome('ada', query)).not.toMatch(/INTERNAL_SERVER_ERROR|yes/);
    });
  });

  test.each([
    ['an empty body', { body: '' }, 'BAD_USER_INPUT'],
    ['a blank body', { body: ' \n ' }, 'BAD_USER_INPUT'],
    ['10,001 characters', { body: 'x'.repeat(10_001) }, 'LIMIT_EXCEEDED'],
    ['a NUL character', { body: 'a\u0000b' }, 'BAD_USER_INPUT'],
    ['half a character', { body: 'a\ud800b' }, 'BAD_USER_INPUT'],
    ['an empty clientId', { clientId: '' }, 'BAD_USER_INPUT'],
    ['a clientId of 201 characters', { clientId: 'x'.repeat(201) }, 'LIMIT_EXCEEDED'],
    ['a NUL character in the clientId', { clientId: 'a\u0000b' }, 'BAD_USER_INPUT'],
    ['an unknown channel', { channel: 'not-there' }, 'NOT_FOUND'],
    ['an unknown message to reply to', { replyToId: unknownId }, 'NOT_FOUND'],
    ['something else to reply to', { replyToId: "1' or true" }, 'NOT_FOUND'],
  ])('with %s is refused with the right code', async (_title, input, code) => {
    expect(await refusal(input)).toBe(code);
  });

  test('may have 10,000 characters, whatever their length as bytes', async () => {
    const body = '🦄'.repeat(10_000);
    expect((await sent({ body })).body).toBe(body);
  });

  test('keeps its white space and its script as they are', async () => {
    const body = '  <b>\t\r\n\u2028 Ж 中 👩‍👩‍👧 ';
    expect((await sent({ body })).body).toBe(body);
  });

  test('does not reply across channels', async () => {
    const elsewhere = await sent({ channel: await freshChannel() });
    expect(await refusal({ replyToId: elsewhere.id })).toBe('NOT_FOUND');
  });

  describe('with a clientId', () => {
    test('is created once: sending it again answers with the first', async () => {
      const name = await freshChannel();
      const first = await sent({ channel: name, clientId: 'once', body: 'first' });
      const again = await sent({ channel: name, clientId: 'once', body: 'second', data: 5 });

      expect(again).toEqual(first);
      expect(await messagesOf(name)).toEqual([first]);
    });

    test('is told once to those who follow the channel', async () => {
      const name = await freshChannel();
      const stream = await server.events('bob', {
        query: `subscription { channelMessage(channel: "${name}") { body } }`,
      });
      await stream.opened;
      await sent({ channel: name, clientId: 'once', body: 'first' });
      await sent({ channel: name, clientId: 'once', body: 'again' });
      await sent({ channel: name, body: 'last' });

      const heard = await stream.stream.take(2);
      expect(heard.map(({ data }) => data.channelMessage.body)).toEqual(['first', 'last']);
      stream.cut();
    });

    test('is one of twenty that are sent at once', async () => {
      const name = await freshChannel();
      const all = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          sent({ channel: name, clientId: 'at once', body: String(index) }),
        ),
      );

      expect(new Set(all.map(({ id }) => id)).size).toBe(1);
      expect(await messagesOf(name)).toEqual([all[0]]);
    });

    test('is another in another channel and from another sender', async () => {
      const [name, other] = [await freshChannel(), await freshChannel()];
      const all = [
        await sent({ channel: name, clientId: 'same' }),
        await sent({ channel: other, clientId: 'same' }),
        await sent({ channel: name, clientId: 'same' }, 'bob'),
      ];

      expect(new Set(all.map(({ id }) => id)).size).toBe(3);
    });

    test('stays the one it was after it has been edited and deleted', async () => {
      const name = await freshChannel();
      const { id } = await sent({ channel: name, clientId: 'for good' });
      await server.ask('ada', edit, { id, body: 'edited' });
      expect(await sent({ channel: name, clientId: 'for good' })).toMatchObject({ id, body: 'edited' });
      await server.ask('ada', erase, { id });
      expect(await sent({ channel: name, clientId: 'for good' })).toMatchObject({
        id,
        body: '',
        deletedAt: instant,
      });
    });
  });

  describe('that is edited', () => {
    test('has the new body, and says when', async () => {
      const message = await sent({ data: [1] });
      const { editMessage } = await server.ask('ada', edit, { id: message.id, body: 'better' });

      expect(editMessage).toEqual({ ...message, body: 'better', editedAt: instant, updatedAt: instant });
    });

    test.each([
      ['an empty body', '', 'BAD_USER_INPUT'],
      ['10,001 characters', 'x'.repeat(10_001), 'LIMIT_EXCEEDED'],
      ['a NUL character', 'a\u0000', 'BAD_USER_INPUT'],
    ])('to %s is refused with the right code', async (_title, body, code) => {
      const { id } = await sent({});
      expect(await outcome('ada', edit, { id, body })).toBe(code);
    });

    test('by anybody but its sender is refused, an admin included', async () => {
      const { id } = await sent({}, 'bob');
      expect(await outcome('ada', edit, { id, body: 'mine' })).toBe('FORBIDDEN');
      expect(await outcome('root', edit, { id, body: 'mine' }, ['admin'])).toBe('FORBIDDEN');
    });

    test('after its deletion is refused', async () => {
      const { id } = await sent({});
      await server.ask('ada', erase, { id });
      expect(await outcome('ada', edit, { id, body: 'back' })).toBe('BAD_USER_INPUT');
    });
  });

  describe('that is deleted', () => {
    test('stays without its content', async () => {
      const name = await freshChannel();
      const message = await sent({ channel: name, body: 'secret', data: 'secret' });
      const { deleteMessage } = await server.ask('ada', erase, { id: message.id });
      const gone = { ...message, body: '', data: null, deletedAt: instant, updatedAt: instant };

      expect(deleteMessage).toEqual(gone);
      expect(await messagesOf(name)).toEqual([deleteMessage]);
    });

    test('is shown without its content where it was replied to', async () => {
      const name = await freshChannel();
      const { id } = await sent({ channel: name, body: 'secret' });
      await sent({ channel: name, replyToId: id });
      await server.ask('ada', erase, { id });

      expect((await messagesOf(name))[1].replyTo).toEqual({ id, body: '' });
    });

    test('again stays as it was', async () => {
      const { id } = await sent({});
      const first = await server.ask('ada', erase, { id });
      expect(await server.ask('ada', erase, { id })).toEqual(first);
    });

    test("by an admin may be anybody's", async () => {
      const { id } = await sent({}, 'bob');
      expect((await server.ask('root', erase, { id }, ['admin'])).deleteMessage.deletedAt).toEqual(instant);
    });
  });

  test.each([
    ['a number that none has', unknownId],
    ['a word', 'message'],
    ['a NUL character', '\u0000'],
    ['nothing', ''],
  ])('named by %s is NOT_FOUND', async (_title, id) => {
    expect(await outcome('ada', edit, { id, body: 'new' })).toBe('NOT_FOUND');
    expect(await outcome('ada', erase, { id })).toBe('NOT_FOUND');
  });
});
