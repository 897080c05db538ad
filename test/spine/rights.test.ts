import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { databases, type TestServer, testServer } from '../support/server.ts';
import type { Frame } from '../support/websocket.ts';

const follow =
  'subscription Follow($channel: String!, $after: Position) { channelMessage(channel: $channel, after: $after) { body } }';
const send =
  'mutation Send($channel: String!, $body: String!) { sendMessage(input: { channel: $channel, body: $body }) { id } }';
const create =
  'mutation Create($name: String!) { createChannel(input: { name: $name, kind: PRIVATE, memberIds: ["bob"] }) { id } }';
const remove =
  'mutation Remove($channel: String!) { removeChannelMember(channel: $channel, userId: "bob") { id } }';
const add = 'mutation Add($channel: String!) { addChannelMember(channel: $channel, userId: "bob") { id } }';
const emit = 'mutation Emit($input: EmitEventInput!) { emitEvent(input: $input) }';
const received = 'subscription Received($after: Position) { eventReceived(after: $after) { type channel } }';

describe.each(databases)('rights on %s', (kind) => {
  let server: TestServer;
  let count = 0;

  beforeAll(async () => {
    server = await testServer(kind);
    await server.ask('bob', '{ viewer { id } }');
  });
  afterAll(() => server.close());

  async function privateChannel(): Promise<string> {
    count += 1;
    const channel = `private-${count}`;
    await server.ask('ada', create, { name: channel });
    return channel;
  }

  test('are found for an id full of quotes, commas and braces', async () => {
    const id = `o'brien "the {one}", \\ and all`;
    await server.ask(id, '{ viewer { id } }');
    await server.ask('ada', create.replace('memberIds: ["bob"]', `memberIds: [${JSON.stringify(id)}]`), {
      name: 'quoted',
    });
    const socket = await server.socket(id);
    const stream = socket.run({ query: follow, variables: { channel: 'quoted' } });
    const events = socket.run({ query: received });
    await socket.run({ query: '{ viewer { id } }' }).next();
    await server.ask('ada', send, { channel: 'quoted', body: 'hello' });
    expect((await stream.next()).data.channelMessage.body).toBe('hello');
    const input = { type: 'for.them', payload: 1, recipients: [{ userId: id }] };
    await server.ask('ada', emit, { input }, ['service']);
    expect((await events.next()).data.eventReceived.type).toBe('for.them');
    await socket.close();
  });

  test('that are lost end a live subscription: nothing that was committed after is delivered', async () => {
    for (let round = 0; round < 20; round += 1) {
      const channel = await privateChannel();
      const socket = await server.socket('bob');
      const stream = socket.run({ query: follow, variables: { channel } });
      // The answer says that the subscription before it is attached.
      await socket.run({ query: '{ viewer { id } }' }).next();
      const before = Array.from({ length: 5 }, (_, index) =>
        server.ask('ada', send, { channel, body: `b${index}` }),
      );
      await Promise.all(before);
      await server.ask('ada', remove, { channel });
      const after = Array.from({ length: 5 }, (_, index) =>
        server.ask('ada', send, { channel, body: `after ${index}` }),
      );
      await Promise.all(after);

      const frames: Frame[] = [];
      for (let frame = await stream.frame(); frame; frame = await stream.frame()) {
        frames.push(frame);
        if (frame.type !== 'next') break;
      }
      expect(frames.at(-1)).toMatchObject({
        type: 'error',
        payload: [{ extensions: { code: 'FORBIDDEN' } }],
      });
      expect(JSON.stringify(frames)).not.toContain('after');
      expect((await socket.run({ query: '{ viewer { id } }' }).next()).data.viewer.id).toBe('bob');
      await socket.close();
    }
  });

  test('that are lost end an event stream with the error and its completion', async () => {
    const channel = await privateChannel();
    const stream = await server.events('bob', { query: follow, variables: { channel } });
    await stream.opened;
    await server.ask('ada', remove, { channel });

    expect((await stream.stream.next()).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    expect(await stream.ended).toBe('complete');
  });

  test('that are lost do not let anybody learn that a channel is there', async () => {
    const channel = await privateChannel();
    await server.ask('ada', remove, { channel });
    const socket = await server.socket('bob');

    const { errors } = await socket.run({ query: follow, variables: { channel } }).next();
    expect(errors?.[0]?.extensions.code).toBe('NOT_FOUND');
    await socket.close();
  });

  test('that are lost and given again let a resume go on over both', async () => {
    const channel = await privateChannel();
    const { position } = await server.ask('bob', '{ position }');
    await server.ask('ada', send, { channel, body: 'first' });
    await server.ask('ada', remove, { channel });
    await server.ask('ada', add, { channel });
    await server.ask('ada', send, { channel, body: 'second' });
    const socket = await server.socket('bob');

    const heard = await socket.run({ query: follow, variables: { channel, after: position } }).take(2);
    expect(heard.map(({ data }) => data.channelMessage.body)).toEqual(['first', 'second']);
    await socket.close();
  });

  test('end for everybody with the channel, and a new one of its name is another', async () => {
    const channel = await privateChannel();
    const socket = await server.socket('bob');
    const { position } = await socket.acknowledged;
    const stream = socket.run({ query: follow, variables: { channel } });
    await socket.run({ query: '{ viewer { id } }' }).next();
    await server.ask('ada', 'mutation Delete($name: String!) { deleteChannel(name: $name) }', {
      name: channel,
    });
    expect(await stream.frame()).toMatchObject({ type: 'error' });

    await server.ask('ada', create, { name: channel });
    await server.ask('ada', send, { channel, body: 'of the new one' });
    const { data } = await socket.run({ query: follow, variables: { channel, after: position } }).next();
    expect(data.channelMessage.body).toBe('of the new one');
    await socket.close();
  });

  test('of removal from a public channel end what the member follows there', async () => {
    await server.ask(
      'ada',
      'mutation { createChannel(input: { name: "public", memberIds: ["bob"] }) { id } }',
    );
    const socket = await server.socket('bob');
    const stream = socket.run({ query: follow, variables: { channel: 'public' } });
    await socket.run({ query: '{ viewer { id } }' }).next();
    await server.ask('ada', remove, { channel: 'public' });

    expect(await stream.frame()).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'FORBIDDEN' } }],
    });
    await socket.close();
  });

  test('decide from event to event which channels an eventReceived follows, also after a resume', async () => {
    const channel = await privateChannel();
    await server.ask('ada', remove, { channel });
    const socket = await server.socket('bob');
    const { position } = await socket.acknowledged;
    const stream = socket.run({ query: received, variables: { after: position } });
    const emitTo = (type: string, ...recipients: object[]) =>
      server.ask('root', emit, { input: { type, payload: {}, recipients } }, ['service']);

    await emitTo('before.join', { channel });
    await server.ask('ada', add, { channel });
    await emitTo('while.member', { channel });
    await emitTo('to.all', { everyone: true }, { userId: 'bob' }, { channel });
    expect((await stream.take(2)).map(({ data }) => data.eventReceived)).toEqual([
      { type: 'while.member', channel },
      { type: 'to.all', channel },
    ]);
    const again = socket.run({ query: received, variables: { after: position } });
    expect((await again.take(2)).map(({ data }) => data.eventReceived.type)).toEqual([
      'while.member',
      'to.all',
    ]);

    await server.ask('ada', remove, { channel });
    await emitTo('after.leave', { channel });
    await emitTo('last', { userId: 'bob' });
    expect((await stream.next()).data.eventReceived).toEqual({ type: 'last', channel: null });
    expect((await again.next()).data.eventReceived).toEqual({ type: 'last', channel: null });
    await socket.close();
  });
});

describe.each(databases)(
  'an event for everyone, for the viewer and for a channel of the viewer on %s',
  (kind) => {
    test('reaches eventReceived once, live and after a resume from any place', async () => {
      const server = await testServer(kind);
      await server.ask('bob', '{ viewer { id } }');
      await server.ask('ada', create, { name: 'team' });
      const recipients = [{ everyone: true }, { userId: 'bob' }, { channel: 'team' }];
      const socket = await server.socket('bob');
      const { position } = await socket.acknowledged;
      const stream = socket.run({ query: received });
      await socket.run({ query: '{ viewer { id } }' }).next();
      for (let index = 0; index < 50; index += 1) {
        await server.ask('root', emit, { input: { type: `event.${index}`, payload: {}, recipients } }, [
          'service',
        ]);
      }

      const live = await stream.take(50);
      const all = live.map(({ data }) => data.eventReceived.type);
      expect(all).toEqual(Array.from({ length: 50 }, (_, index) => `event.${index}`));
      const places = [position, ...live.map(({ extensions }) => extensions!.position)];
      for (const [index, after] of places.entries()) {
        const resumed = socket.run({ query: received, variables: { after } });
        const rest = await resumed.take(50 - index);
        expect(rest.map(({ data }) => data.eventReceived.type)).toEqual(all.slice(index));
        expect(resumed.waiting).toEqual([]);
        resumed.leave();
      }
      await socket.close();
      await server.close();
    });
  },
);
