import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const disconnect = `mutation Disconnect($userId: ID, $connectionId: ID, $reason: String) {
  disconnect(userId: $userId, connectionId: $connectionId, reason: $reason)
}`;
const block =
  'mutation Block($id: ID!, $blocked: Boolean) { blockUser(id: $id, blocked: $blocked) { id name } }';
const emit = 'mutation Emit($input: EmitEventInput!) { emitEvent(input: $input) }';
const follow = 'subscription { eventReceived { id type payload sender { id } } }';

describe.each(databases)('an admin on %s', (kind) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer(kind);
  });
  afterAll(() => server.close());

  const codeOf = async (
    query: string,
    variables: object,
    roles: ['admin'] | ['service'] | [] = ['admin'],
  ) => {
    const { errors } = await server.run('root', query, variables as Record<string, unknown>, roles);
    return errors?.[0]?.extensions.code;
  };

  test('ends one connection by its id, and its user keeps the others', async () => {
    const [first, second] = [await server.socket('ada'), await server.socket('ada')];
    const { connectionId } = await first.acknowledged;
    expect(await server.ask('root', disconnect, { connectionId }, ['admin'])).toEqual({ disconnect: 1 });
    expect(await first.closed).toEqual({ code: 4403, reason: 'Forbidden' });
    expect((await second.run({ query: '{ viewer { id } }' }).next()).data.viewer.id).toBe('ada');
    await eventually(async () => expect(await codeOf(disconnect, { connectionId })).toBe('NOT_FOUND'));
    await second.close();
  });

  test('tells an event stream why it ends', async () => {
    const events = await server.events('ada', { query: follow });
    await events.opened;
    await server.ask('root', disconnect, { userId: 'ada', reason: 'maintenance' }, ['admin']);
    const frame = await events.stream.frame();
    expect(frame).toMatchObject({
      type: 'next',
      payload: { errors: [{ message: 'maintenance', extensions: { code: 'FORBIDDEN' } }] },
    });
    expect(await events.ended).toBe('complete');
  });

  test('may give a reason longer than a closing frame holds', async () => {
    const socket = await server.socket('ada');
    const reason = 'ü'.repeat(200);
    await server.ask('root', disconnect, { userId: 'ada', reason }, ['admin']);
    expect(await socket.closed).toEqual({ code: 4403, reason: 'ü'.repeat(61) });
  });

  test('gets 0 for somebody who is not connected', async () => {
    await server.ask('zoe', '{ viewer { id } }');
    expect(await server.ask('root', disconnect, { userId: 'zoe' }, ['admin'])).toEqual({ disconnect: 0 });
  });

  test.each([
    ['neither a user nor a connection', {}, 'BAD_USER_INPUT'],
    ['both', { userId: 'ada', connectionId: 'x' }, 'BAD_USER_INPUT'],
    ['an unknown user', { userId: 'nobody' }, 'NOT_FOUND'],
    ['a connection id that is none', { connectionId: 'x' }, 'NOT_FOUND'],
    ['a reason that is too long', { userId: 'ada', reason: 'x'.repeat(201) }, 'LIMIT_EXCEEDED'],
  ])('is refused to disconnect %s', async (_what, variables, code) => {
    expect(await codeOf(disconnect, variables)).toBe(code);
  });

  test('alone disconnects, blocks and sees the statistics', async () => {
    for (const roles of [[], ['service']] as ([] | ['service'])[]) {
      expect(await codeOf(disconnect, { userId: 'ada' }, roles)).toBe('FORBIDDEN');
      expect(await codeOf(block, { id: 'ada' }, roles)).toBe('FORBIDDEN');
      expect(await codeOf('{ stats { nodes } }', {}, roles)).toBe('FORBIDDEN');
    }
    expect(await codeOf(block, { id: 'nobody' })).toBe('NOT_FOUND');
  });

  test('blocks a user: sockets are closed, tokens refused on every wire, until unblocked', async () => {
    const socket = await server.socket('eve');
    expect(await server.ask('root', block, { id: 'eve' }, ['admin'])).toEqual({
      blockUser: { id: 'eve', name: 'eve' },
    });
    expect((await socket.closed).code).toBe(4403);
    expect(await server.run('eve', '{ viewer { id } }')).toMatchObject({
      errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
    });
    const refused = await server.events('eve', { query: follow });
    expect((await refused.response).statusCode).toBe(401);
    await server.ask('root', block, { id: 'eve' }, ['admin']);
    await server.ask('root', block, { id: 'eve', blocked: false }, ['admin']);
    await eventually(async () =>
      expect((await server.ask('eve', '{ viewer { id } }')).viewer.id).toBe('eve'),
    );
    await (await server.socket('eve')).close();
  });
});

describe.each(databases)('an ephemeral event on %s', (kind) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer(kind);
  });
  afterAll(() => server.close());

  const whisper = (type: string, payload: unknown, recipients?: object[]) =>
    server.ask('service', emit, { input: { type, payload, recipients, ephemeral: true } }, ['service']);

  test('is heard without an id or a position, once for several recipients, and not stored', async () => {
    const socket = await server.socket('ada');
    const stream = socket.run({ query: follow });
    await socket.run({ query: '{ viewer { id } }' }).next();
    const { connectionId } = await socket.acknowledged;
    const recipients = [{ everyone: true }, { userId: 'ada' }, { connectionId }];
    expect(await whisper('passing', { x: 1 }, recipients)).toEqual({ emitEvent: null });
    const stored = { type: 'stored', payload: 1, recipients: [{ userId: 'ada' }] };
    await server.ask('service', emit, { input: stored }, ['service']);

    const [first, second] = await stream.take(2);
    expect(first).toEqual({
      data: { eventReceived: { id: null, type: 'passing', payload: { x: 1 }, sender: { id: 'service' } } },
    });
    expect(second!.data.eventReceived.type).toBe('stored');
    expect(second!.extensions!.position).toBeTruthy();
    await socket.close();
  });

  test('comes at most ten times a second, and the last one always, over both wires', async () => {
    const socket = await server.socket('ada');
    const stream = socket.run({ query: follow });
    await socket.run({ query: '{ viewer { id } }' }).next();
    const events = await server.events('ada', { query: follow });
    await events.opened;
    const startedAt = performance.now();
    for (let n = 1; n <= 100; n += 1) await whisper('progress', n);
    for (const frames of [stream, events.stream]) {
      const heard: number[] = [];
      while (heard.at(-1) !== 100) heard.push((await frames.next()).data.eventReceived.payload);
      const seconds = (performance.now() - startedAt) / 1_000;
      expect(heard).toEqual([...heard].sort((a, b) => a - b));
      expect(heard.length).toBeLessThanOrEqual(Math.ceil(seconds * 10) + 1);
    }
    expect(events.blocks.filter(({ event }) => event === 'next').some(({ id }) => id)).toBe(false);
    events.cut();
    await socket.close();
  });

  test.each([
    ['a connection without `ephemeral`', { recipients: [{ connectionId: 'x' }] }, 'BAD_USER_INPUT'],
    ['an unknown connection', { recipients: [{ connectionId: 'x' }], ephemeral: true }, 'NOT_FOUND'],
    ['an unknown user', { recipients: [{ userId: 'nobody' }], ephemeral: true }, 'NOT_FOUND'],
    ['a channel that is not there', { recipients: [{ channel: 'nowhere' }], ephemeral: true }, 'NOT_FOUND'],
  ])('is refused for %s', async (_what, input, code) => {
    const variables = { input: { type: 'x', payload: 1, ...input } };
    const { errors } = await server.run('service', emit, variables, ['service']);
    expect(errors![0]!.extensions.code).toBe(code);
  });
});
