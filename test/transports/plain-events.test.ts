import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectedEvents, type PlainEvent, PlainEvents, plainEvents } from '../support/plain-events.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const uuid = expect.stringMatching(/^[0-9a-f-]{36}$/);
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const position = expect.stringMatching(/^[\w-]{38}$/);

const emit = 'mutation Emit($input: EmitEventInput!) { emitEvent(input: $input) }';
const notify = 'mutation Send($input: SendNotificationInput!) { sendNotification(input: $input) { id } }';
const send =
  'mutation Send($channel: String!, $body: String!) { sendMessage(input: { channel: $channel, body: $body }) { id } }';
const create = 'mutation Create($input: CreateChannelInput!) { createChannel(input: $input) { id } }';
const watch = 'mutation Watch($input: WatchModelInput!) { watchModel(input: $input) { id } }';

describe.each(databases)('a plain event stream on %s', (kind) => {
  let server: TestServer;
  let count = 0;

  beforeAll(async () => {
    server = await testServer(kind);
    for (const person of ['ada', 'bob', 'root']) await server.ask(person, '{ viewer { id } }');
  });
  afterAll(() => server.close());

  /** A channel of ada's. */
  async function channel(input: object = {}): Promise<string> {
    count += 1;
    await server.ask('ada', create, { input: { name: `channel${count}`, ...input } });
    return `channel${count}`;
  }

  const say = (channel: string, body: string) => server.ask('ada', send, { channel, body });
  const emitted = (type: string, ...recipients: object[]) =>
    server.ask('root', emit, { input: { type, payload: { n: 1 }, recipients } }, ['service']);

  /** What comes until an event of this type, each as its type, or as `type: body`. */
  async function until(stream: PlainEvents, last: string): Promise<string[]> {
    const told: string[] = [];
    for (;;) {
      const { event, data } = await stream.next();
      if (event === last) return told;
      told.push(data.body === undefined ? event : `${event}: ${data.body}`);
    }
  }

  test('tells all there is for its viewer, in order, each with its id', async () => {
    const name = await channel();
    const stream = await plainEvents(server, 'bob', `?channels=${name}&models=Channel,User`);
    const connected = await stream.next();
    const { sendNotification } = await server.ask(
      'root',
      notify,
      { input: { userId: 'bob', title: 'Hello', message: 'a\r\nb', type: 'success', data: { a: [1] } } },
      ['service'],
    );
    await server.ask('root', emit, { input: { type: 'order.paid', payload: [{ order: 5 }] } }, ['service']);
    const { sendMessage } = await say(name, 'Hello');
    await server.ask('root', 'mutation { upsertUser(id: "eve", name: "Eve") { id } }', {}, ['service']);

    expect(connected).toEqual({
      event: 'connected',
      id: position,
      data: { connection_id: uuid, user_id: 'bob', timestamp: instant },
    });
    expect(await stream.next()).toEqual({
      event: 'notification',
      id: position,
      data: {
        id: sendNotification.id,
        user_id: 'bob',
        title: 'Hello',
        message: 'a\r\nb',
        type: 'success',
        category: 'general',
        priority: 'NORMAL',
        data: { a: [1] },
        url: null,
        actions: [],
        actor_id: null,
        is_read: false,
        read_at: null,
        expires_at: null,
        created_at: instant,
        updated_at: instant,
      },
    });
    expect(await stream.next()).toEqual({ event: 'order.paid', id: position, data: [{ order: 5 }] });
    expect(await stream.next()).toEqual({
      event: 'message',
      id: position,
      data: {
        id: sendMessage.id,
        channel: name,
        sender: { id: 'ada', name: 'ada', avatar_url: null },
        body: 'Hello',
        data: null,
        client_id: null,
        reply_to_id: null,
        edited_at: null,
        deleted_at: null,
        created_at: instant,
        updated_at: instant,
      },
    });
    const changes = [await stream.next()];
    // Whose token was seen first may be a change of `User` as well.
    while (changes.at(-1)!.data.id !== 'eve') changes.push(await stream.next());
    expect(changes.at(-1)).toEqual({
      event: 'model_updated',
      id: position,
      data: {
        model: 'User',
        id: 'eve',
        action: 'CREATED',
        data: { id: 'eve', name: 'Eve', avatar_url: null, created_at: expect.any(String) },
        timestamp: instant,
      },
    });
    stream.cut();
  });

  test('tells an event once, however many of its recipients the viewer is', async () => {
    const [one, other] = [await channel({ memberIds: ['bob'] }), await channel({ memberIds: ['bob'] })];
    const stream = await connectedEvents(server, 'bob', `?channels=${one},${other},${one}`);
    await emitted('both', { channel: one }, { channel: other });
    await emitted('all', { everyone: true }, { userId: 'bob' }, { channel: one }, { channel: other });
    await say(one, 'once');
    await emitted('end', { userId: 'bob' });

    expect(await until(stream, 'end')).toEqual(['both', 'all', 'message: once']);
    stream.cut();
  });

  test('tells what is emitted to a channel to its members alone, whoever asks for its messages', async () => {
    const name = await channel();
    const stream = await connectedEvents(server, 'bob', `?channels=${name}`);
    const { lastEventId } = stream;
    await emitted('to.members', { channel: name });
    await emitted('to.members.and.bob', { channel: name }, { userId: 'bob' });
    await say(name, 'to readers');
    await emitted('end', { userId: 'bob' });
    const told = ['to.members.and.bob', 'message: to readers'];

    expect(await until(stream, 'end')).toEqual(told);
    stream.cut();
    const again = await connectedEvents(server, 'bob', `?channels=${name}&after=${lastEventId}`);
    expect(await until(again, 'end')).toEqual(told);
    again.cut();
  });

  test('tells a channel from the joining on, and until the leaving', async () => {
    const name = await channel();
    const change = (field: string) => server.ask('bob', `mutation { ${field}(name: "${name}") { id } }`);
    const stream = await connectedEvents(server, 'bob');
    await emitted('before', { channel: name });
    await change('joinChannel');
    await emitted('while', { channel: name });
    expect((await stream.next()).event).toBe('while');
    await change('leaveChannel');
    await emitted('after', { channel: name });
    await emitted('left', { userId: 'bob' });
    expect((await stream.next()).event).toBe('left');
    await change('joinChannel');
    await emitted('again', { channel: name });
    expect((await stream.next()).event).toBe('again');
    stream.cut();
  });

  test('continues behind the id that it is given, in whichever way, the furthest of them', async () => {
    const stream = await connectedEvents(server, 'bob');
    const first = stream.lastEventId!;
    for (const type of ['one', 'two', 'three']) await emitted(type, { userId: 'bob' });
    const [, two] = await stream.take(3);
    stream.cut();
    const told = async (query: string, headers: Record<string, string> = {}) => {
      const again = await connectedEvents(server, 'bob', query, { headers });
      await emitted('end', { userId: 'bob' });
      const types = await until(again, 'end');
      again.cut();
      return types.filter((type) => type !== 'end');
    };

    expect(await told('', { 'last-event-id': first })).toEqual(['one', 'two', 'three']);
    expect(await told(`?lastEventId=${two!.id}`)).toEqual(['three']);
    expect(await told(`?after=${first}`, { 'last-event-id': two!.id! })).toEqual(['three']);
  });

  test('goes on without a channel that can no longer be read, and says so in its place', async () => {
    const name = await channel({ kind: 'PRIVATE', memberIds: ['bob'] });
    const kept = await channel();
    const stream = await connectedEvents(server, 'bob', `?channels=${name},${kept}&models=User`);
    await say(name, 'before');
    await say(kept, 'before');
    await server.ask('ada', `mutation { removeChannelMember(channel: "${name}", userId: "bob") { id } }`);
    await say(name, 'after');
    await say(kept, 'after');
    const told: PlainEvent[] = await stream.take(4);

    expect(told.map(({ event, data }) => `${event} ${data.channel} ${data.body ?? data.code}`)).toEqual([
      `message ${name} before`,
      `message ${kept} before`,
      `revoked ${name} FORBIDDEN`,
      `message ${kept} after`,
    ]);
    expect(told[2]).toEqual({
      event: 'revoked',
      id: position,
      data: {
        channel: name,
        code: 'FORBIDDEN',
        message: 'The right to read this has been taken away.',
        timestamp: instant,
      },
    });
    stream.cut();
  });

  test('takes the joining of a channel, met on the way, for no loss of it', async () => {
    const { position } = await server.ask('bob', '{ position }');
    const name = await channel({ kind: 'PRIVATE', memberIds: ['bob'] });
    await say(name, 'Hello');
    const stream = await connectedEvents(server, 'bob', `?channels=${name}&after=${position}`);
    await say(name, 'and again');
    await emitted('end', { userId: 'bob' });

    expect(await until(stream, 'end')).toEqual(['message: Hello', 'message: and again']);
    stream.cut();
  });

  test('keeps a public channel that is left, and ends one that is deleted', async () => {
    const name = await channel({ memberIds: ['bob'] });
    const stream = await connectedEvents(server, 'bob', `?channels=${name}`);
    await server.ask('bob', `mutation { leaveChannel(name: "${name}") { id } }`);
    await say(name, 'still');
    await server.ask('ada', `mutation { deleteChannel(name: "${name}") }`);
    await server.ask('ada', create, { input: { name } });
    await say(name, 'another channel');
    await emitted('end', { userId: 'bob' });

    expect(await until(stream, 'end')).toEqual(['message: still', 'revoked']);
    stream.cut();
  });

  test('shows a replayed message that has been deleted without its content', async () => {
    const name = await channel();
    const stream = await connectedEvents(server, 'bob', `?channels=${name}`);
    const { lastEventId } = stream;
    const { sendMessage } = await say(name, 'secret');
    await server.ask('ada', `mutation { editMessage(id: "${sendMessage.id}", body: "secrets") { id } }`);
    const [, edited] = await stream.take(2);
    await server.ask('ada', `mutation { deleteMessage(id: "${sendMessage.id}") { id } }`);
    await stream.next();
    stream.cut();
    const again = await connectedEvents(server, 'bob', `?channels=${name}&after=${lastEventId}`);

    expect(edited!.data).toMatchObject({ body: 'secrets', edited_at: instant, sender: { id: 'ada' } });
    for (const { data } of await again.take(3)) {
      expect(data).toMatchObject({ id: sendMessage.id, body: '', data: null, deleted_at: instant });
    }
    again.cut();
  });

  test('tells what is told in passing without an id, to its user and to itself alone', async () => {
    const stream = await plainEvents(server, 'bob');
    const { data } = await stream.next();
    const { lastEventId } = stream;
    const whisper = (type: string, recipient: object) =>
      server.ask('root', emit, { input: { type, payload: 1, recipients: [recipient], ephemeral: true } }, [
        'service',
      ]);
    await whisper('to.user', { userId: 'bob' });
    await whisper('to.connection', { connectionId: data.connection_id });

    expect(await stream.take(2)).toEqual([
      { event: 'to.user', id: undefined, data: 1 },
      { event: 'to.connection', id: undefined, data: 1 },
    ]);
    expect(stream.lastEventId).toBe(lastEventId);
    stream.cut();
  });

  test('goes on live, saying so, behind a position of another database', async () => {
    const other = await testServer('embedded');
    const { position: foreign } = await other.ask('ada', '{ position }');
    await other.close();
    const stream = await connectedEvents(server, 'bob', '', { headers: { 'last-event-id': foreign } });
    const expired = await stream.next();
    await emitted('live', { userId: 'bob' });

    expect(expired).toEqual({ event: 'position_expired', id: position, data: { timestamp: instant } });
    expect((await stream.next()).event).toBe('live');
    stream.cut();
    const again = await connectedEvents(server, 'bob', `?after=${expired.id}`);
    expect((await again.next()).event).toBe('live');
    again.cut();
  });

  describe('with models', () => {
    /** A watched table. */
    async function table(columns: string, audience: object = { audience: 'EVERYONE' }): Promise<string> {
      count += 1;
      const name = `Model${count}`;
      await server.sql(`create table ${name} (${columns})`);
      await server.ask('root', watch, { input: { table: name, name, ...audience } }, ['admin']);
      return name;
    }

    const summary = ({ event, data }: PlainEvent) =>
      event === 'model_updated'
        ? `${data.action} ${data.id} ${JSON.stringify(data.data)}`
        : `${event} ${data.model ?? ''} ${data.code ?? ''}`.trim();

    test('tells changes of rows, those that others lost without data', async () => {
      const name = await table('id int primary key, owner text', {
        audience: 'OWNER',
        audienceColumn: 'owner',
      });
      const stream = await connectedEvents(server, 'bob', `?models=${name}`);
      const told = async (statement: string) => {
        await server.sql(statement);
        return summary(await stream.next());
      };

      expect(await told(`insert into ${name} values (1, 'bob'), (2, 'ada')`)).toBe(
        'CREATED 1 {"id":1,"owner":"bob"}',
      );
      expect(await told(`update ${name} set owner = 'ada' where id = 1`)).toBe('UPDATED 1 null');
      expect(await told(`update ${name} set owner = 'bob' where id = 2`)).toBe(
        'UPDATED 2 {"id":2,"owner":"bob"}',
      );
      expect(await told(`delete from ${name} where id = 2`)).toBe('DELETED 2 null');
      stream.cut();
    });

    test('says which model is to be loaded anew, and goes on with it and all others', async () => {
      const [name, other] = [await table('id int primary key, note text'), await table('id int primary key')];
      const stream = await connectedEvents(server, 'bob', `?models=${name},${other}`);
      const told = async (count: number) => (await stream.take(count)).map(summary);
      await server.sql(`insert into ${name} values (1, 'a')`, `insert into ${other} values (1)`);
      expect(await told(2)).toEqual(['CREATED 1 {"id":1,"note":"a"}', 'CREATED 1 {"id":1}']);
      const { lastEventId } = stream;
      await server.sql(`truncate ${name}`, `insert into ${name} values (2, 'b')`);
      expect(await told(2)).toEqual([`position_expired ${name}`, 'CREATED 2 {"id":2,"note":"b"}']);
      const narrower = { table: name, name, audience: 'EVERYONE', columns: ['id'] };
      await server.ask('root', watch, { input: narrower }, ['admin']);
      await server.sql(`insert into ${name} values (3, 'c')`);
      expect(await told(2)).toEqual([`position_expired ${name}`, 'CREATED 3 {"id":3}']);
      await server.ask('root', `mutation { unwatchModel(name: "${name}") }`, {}, ['admin']);
      await server.sql(`insert into ${name} values (4, 'd')`, `insert into ${other} values (2)`);
      expect(await told(2)).toEqual([`revoked ${name} NOT_FOUND`, 'CREATED 2 {"id":2}']);
      stream.cut();
      // There is no such model any more.
      expect((await (await plainEvents(server, 'bob', `?models=${name}`)).response).statusCode).toBe(404);
      const again = await connectedEvents(server, 'bob', `?models=${other}&after=${lastEventId}`);
      expect(summary(await again.next())).toBe('CREATED 2 {"id":2}');
      again.cut();
    });

    test('passes what was told by another definition over when it comes back, and says so', async () => {
      const name = await table('id int primary key, hidden text');
      const stream = await connectedEvents(server, 'bob', `?models=${name}`);
      await server.sql(`insert into ${name} values (1, 'secret')`);
      await stream.next();
      const { lastEventId } = stream;
      stream.cut();
      await server.sql(`insert into ${name} values (2, 'secret')`);
      await emitted('meanwhile', { userId: 'bob' });
      await server.ask(
        'root',
        watch,
        { input: { table: name, name, audience: 'EVERYONE', columns: ['id'] } },
        ['admin'],
      );
      await server.sql(`insert into ${name} values (3, 'secret')`);
      const again = await connectedEvents(server, 'bob', `?models=${name}&after=${lastEventId}`);

      expect((await again.take(3)).map(summary)).toEqual([
        'meanwhile',
        `position_expired ${name}`,
        'CREATED 3 {"id":3}',
      ]);
      again.cut();
    });

    test('does not say of a model that was just watched that it is to be loaded anew', async () => {
      for (let round = 0; round < 5; round += 1) {
        const name = await table('id int primary key');
        const stream = await connectedEvents(server, 'bob', `?models=${name}`);
        await server.sql(`insert into ${name} values (1)`);
        expect(summary(await stream.next())).toBe('CREATED 1 {"id":1}');
        stream.cut();
      }
    });

    test('says that a model of channels is to be loaded anew when those change that are read', async () => {
      const name = await channel({ kind: 'PRIVATE' });
      const stream = await connectedEvents(server, 'bob', '?models=Message');
      await say(name, 'before');
      await emitted('joining', { userId: 'bob' });
      await server.ask('ada', `mutation { addChannelMember(channel: "${name}", userId: "bob") { id } }`);
      await say(name, 'while');
      const events = await stream.take(3);
      await server.ask('ada', `mutation { removeChannelMember(channel: "${name}", userId: "bob") { id } }`);
      await say(name, 'after');
      await emitted('end', { userId: 'bob' });
      const told = [...events, ...(await stream.take(2))].map(({ event, data }) =>
        `${event} ${data.data?.body ?? data.model ?? ''}`.trim(),
      );

      expect(told).toEqual([
        'joining',
        'position_expired Message',
        'model_updated while',
        'position_expired Message',
        'end',
      ]);
      stream.cut();
    });
  });

  describe('is refused before it starts', () => {
    const refusal = async (
      query: string,
      user: string | null = 'bob',
      roles: ('service' | 'admin')[] = [],
    ) => {
      const stream = user
        ? await plainEvents(server, user, query, { roles })
        : new PlainEvents(`${server.url}/realtime/events${query}`);
      const response = await stream.response;
      const { success, error } = JSON.parse(await stream.refusal);
      expect(success).toBe(false);
      expect(error.message).toEqual(expect.any(String));
      return `${response.statusCode} ${error.code}`;
    };

    test('without a token, and with one that is none', async () => {
      expect(await refusal('', null)).toBe('401 UNAUTHENTICATED');
      expect(await refusal('?token=nonsense', null)).toBe('401 UNAUTHENTICATED');
      expect(await refusal('?token=', null)).toBe('401 UNAUTHENTICATED');
    });

    test('for a channel or model that cannot be read', async () => {
      const secret = await channel({ kind: 'PRIVATE' });
      const open = await channel();
      expect(await refusal('?channels=no-such')).toBe('404 NOT_FOUND');
      expect(await refusal('?channels=No+Such%0d%0a')).toBe('404 NOT_FOUND');
      expect(await refusal(`?channels=${open},${secret}`)).toBe('404 NOT_FOUND');
      expect(await refusal('?models=User,Nothing')).toBe('404 NOT_FOUND');
    });

    test('for a model of staff, but not to staff', async () => {
      await server.sql('create table staff_only (id int primary key)');
      await server.ask('root', watch, { input: { table: 'staff_only', audience: 'SERVICE' } }, ['admin']);

      expect(await refusal('?models=StaffOnly')).toBe('404 NOT_FOUND');
      const stream = await connectedEvents(server, 'robot', '?models=StaffOnly', { roles: ['service'] });
      await server.sql('insert into staff_only values (1)');
      expect((await stream.next()).data.model).toBe('StaffOnly');
      stream.cut();
    });

    test('for a position that is none, and for too many channels', async () => {
      expect(await refusal('?after=nonsense')).toBe('400 BAD_USER_INPUT');
      const { response } = await plainEvents(server, 'bob', '', { headers: { 'last-event-id': 'nonsense' } });
      expect((await response).statusCode).toBe(400);
      const many = Array.from({ length: 101 }, (_, index) => `c${index}`);
      expect(await refusal(`?channels=${many}`)).toBe('400 LIMIT_EXCEEDED');
    });
  });

  test('leaves nothing behind', async () => {
    const name = await channel({ memberIds: ['bob'] });
    const streams = await Promise.all(
      Array.from({ length: 20 }, () => plainEvents(server, 'bob', `?channels=${name}&models=User,Message`)),
    );
    await Promise.all(streams.map(async (stream, index) => index % 2 === 0 && stream.next()));
    for (const stream of streams) stream.cut();
    await Promise.all(streams.map(({ ended }) => ended));

    await expect.poll(() => server.metric('realtime_topics'), { timeout: 10_000 }).toBe(1);
    await expect.poll(() => server.metric('realtime_subscriptions{field="/realtime/events"}')).toBe(0);
    await expect.poll(() => server.metric('realtime_connections{transport="sse"}')).toBe(0);
  });
});
