import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { databases, type TestServer, testServer } from '../support/server.ts';

const emit = 'mutation Emit($input: EmitEventInput!) { emitEvent(input: $input) }';
const received =
  'subscription Received($types: [String!]) { eventReceived(types: $types) { id type payload channel sender { id } createdAt } }';
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe.each(databases)('an emitted event on %s', (kind) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer(kind);
    await server.ask('bob', '{ viewer { id } }');
    await server.ask('ada', 'mutation { createChannel(input: { name: "team", memberIds: ["bob"] }) { id } }');
  });
  afterAll(() => server.close());

  async function outcome(...request: Parameters<TestServer['run']>): Promise<string> {
    return (await server.run(...request)).errors?.[0]?.extensions.code ?? 'yes';
  }

  async function emitted(input: object): Promise<string> {
    return (await server.ask('root', emit, { input: { type: 'hello', payload: {}, ...input } }, ['service']))
      .emitEvent;
  }

  const refusal = (input: object) =>
    outcome('root', emit, { input: { type: 'hello', payload: {}, ...input } }, ['service']);

  /** A stream that already listens. */
  async function listener(user: string, types?: string[]) {
    const client = await server.events(user, { query: received, variables: { types } });
    await client.opened;
    return client;
  }

  test('arrives with everything it was emitted with', async () => {
    const { stream, cut } = bound(await listener('bob'));
    const id = await emitted({
      type: 'order.paid',
      payload: { order: 5 },
      recipients: [{ channel: 'team' }],
    });

    expect((await stream.next()).data.eventReceived).toEqual({
      id,
      type: 'order.paid',
      payload: { order: 5 },
      channel: 'team',
      sender: { id: 'root' },
      createdAt: instant,
    });
    cut();
  });

  test.each(['text', '123', '"quoted"', '', 5, 0, true, false, [], {}, [null, { a: [1] }]])(
    'with the payload %j arrives with it unchanged',
    async (payload) => {
      const { stream, cut } = bound(await listener('bob'));
      await emitted({ payload });
      expect((await stream.next()).data.eventReceived.payload).toEqual(payload);
      cut();
    },
  );

  test('reaches its recipients alone', async () => {
    const clients = [await listener('ada'), await listener('bob'), await listener('eve')];
    await emitted({ type: 'to.bob', recipients: [{ userId: 'bob' }] });
    await emitted({ type: 'to.team', recipients: [{ channel: 'team' }] });
    await emitted({ type: 'to.bob.and.team', recipients: [{ userId: 'bob' }, { channel: 'team' }] });
    await emitted({ type: 'to.everyone' });
    const heard = async (index: number, count: number) =>
      (await clients[index]!.stream.take(count)).map(({ data }) => data.eventReceived.type);

    expect(await heard(0, 3)).toEqual(['to.team', 'to.bob.and.team', 'to.everyone']);
    expect(await heard(1, 4)).toEqual(['to.bob', 'to.team', 'to.bob.and.team', 'to.everyone']);
    expect(await heard(2, 1)).toEqual(['to.everyone']);
    for (const client of clients) client.cut();
  });

  test('reaches those who filter by type only where it fits', async () => {
    const { stream, cut } = bound(await listener('bob', ['wanted']));
    await emitted({ type: 'unwanted' });
    await emitted({ type: 'wanted' });
    expect((await stream.next()).data.eventReceived.type).toBe('wanted');
    cut();
  });

  test('is emitted by role service or admin, by anybody else FORBIDDEN', async () => {
    const input = { type: 'hello', payload: {} };
    expect(await outcome('root', emit, { input }, ['service'])).toBe('yes');
    expect(await outcome('root', emit, { input }, ['admin'])).toBe('yes');
    expect(await outcome('ada', emit, { input })).toBe('FORBIDDEN');
  });

  test.each([
    ...['notification', 'message', 'model_updated', 'connected', 'ping', 'position_expired'],
    ...['open', 'error', 'next', 'complete'],
  ])('of the reserved type "%s" is refused', async (type) => {
    expect(await refusal({ type })).toBe('BAD_USER_INPUT');
  });

  test.each([
    ['an empty type', { type: '' }, 'BAD_USER_INPUT'],
    ['capitals in the type', { type: 'Hello' }, 'BAD_USER_INPUT'],
    ['a line break behind the type', { type: 'hello\n' }, 'BAD_USER_INPUT'],
    ['a line break in the type', { type: 'hello\nid: 5' }, 'BAD_USER_INPUT'],
    ['a type of 101 characters', { type: 'x'.repeat(101) }, 'BAD_USER_INPUT'],
    ['a NUL character in the payload', { payload: { a: '\u0000' } }, 'BAD_USER_INPUT'],
    ['a payload of more than 65,536 bytes', { payload: 'x'.repeat(65_536) }, 'LIMIT_EXCEEDED'],
    ['a payload of 40 levels', { payload: JSON.parse('['.repeat(40) + ']'.repeat(40)) }, 'LIMIT_EXCEEDED'],
    ['an unknown user', { recipients: [{ userId: 'nobody' }] }, 'NOT_FOUND'],
    ['an unknown channel', { recipients: [{ channel: 'not-there' }] }, 'NOT_FOUND'],
    [
      'one unknown user among others',
      { recipients: [{ everyone: true }, { userId: 'nobody' }] },
      'NOT_FOUND',
    ],
    ['no recipients', { recipients: [] }, 'BAD_USER_INPUT'],
    ['more than 100 recipients', { recipients: Array(101).fill({ userId: 'bob' }) }, 'BAD_USER_INPUT'],
    ['a recipient that is not everyone', { recipients: [{ everyone: false }] }, 'BAD_USER_INPUT'],
    ['a recipient that is nobody', { recipients: [{}] }, 'BAD_USER_INPUT'],
    ['a recipient that is two', { recipients: [{ userId: 'bob', channel: 'team' }] }, 'BAD_USER_INPUT'],
  ])('with %s is refused with the right code', async (_title, input, code) => {
    expect(await refusal(input)).toBe(code);
  });

  test.each([
    ['user', { recipients: [{ userId: 'a\u0000b' }] }],
    ['channel', { recipients: [{ channel: 'a\u0000b' }] }],
  ])('to a %s named with NUL characters is no failure of ours', async (_title, input) => {
    expect(await refusal(input)).not.toMatch(/INTERNAL_SERVER_ERROR|yes/);
  });

  test('may have a type of 100 characters of every kind', async () => {
    expect(await refusal({ type: `a0_.-${'z'.repeat(95)}` })).toBe('yes');
  });
});

function bound(client: Awaited<ReturnType<TestServer['events']>>) {
  return { stream: client.stream, cut: () => client.cut() };
}

describe('EVENT_TYPES', () => {
  test('are the only types that can be emitted', async () => {
    const server = await testServer('postgres', { EVENT_TYPES: 'order.paid, order.sent' });
    const run = async (type: string) =>
      (await server.run('root', emit, { input: { type, payload: {} } }, ['service'])).errors?.[0]?.extensions
        .code;
    const codes = [await run('order.sent'), await run('order.lost')];
    await server.close();

    expect(codes).toEqual([undefined, 'FORBIDDEN']);
  });
});
