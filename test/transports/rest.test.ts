import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';

const uuid = expect.stringMatching(/^[0-9a-f-]{36}$/);
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const mostBodyBytes = 5_000;

describe('notifications over REST', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('postgres', { MAX_BODY_BYTES: String(mostBodyBytes) });
    for (const person of ['ada', 'bob', '42']) await server.ask(person, '{ viewer { id } }');
  });
  afterAll(() => server.close());

  interface Asked {
    readonly as?: string | null;
    readonly roles?: readonly ('service' | 'admin')[];
    readonly body?: string;
    readonly headers?: Record<string, string>;
  }

  async function ask(
    method: string,
    path: string,
    { as = 'bob', roles = [], body, headers = {} }: Asked = {},
  ) {
    const authorization: Record<string, string> =
      as === null ? {} : { authorization: `Bearer ${await server.token(as, roles)}` };
    const response = await fetch(server.url + path, {
      method,
      body,
      headers: { ...authorization, ...headers },
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? null : JSON.parse(text),
    };
  }

  const json = { 'content-type': 'application/json' };
  const send = (notification: unknown, asked: Asked = {}) =>
    ask('POST', '/notifications/send', {
      ...{ as: 'robot', roles: ['service'], headers: json, body: JSON.stringify(notification) },
      ...asked,
    });
  const draft = { user_id: 'bob', title: 'Hello', message: 'There you are' };

  /** Status and code of a failure, of the one form that they all have. */
  async function failure(answer: ReturnType<typeof ask>): Promise<string> {
    const { status, body } = await answer;
    expect(body).toEqual({
      success: false,
      error: expect.objectContaining({ code: expect.any(String), message: expect.any(String) }),
    });
    return `${status} ${body.error.code}`;
  }

  test('are sent with all that may be given', async () => {
    const { status, body } = await send({
      ...draft,
      ...{ type: 'success', data: { a: [1, null] }, category: 'orders', priority: 'HIGH', url: '/orders/1' },
      ...{ actor_id: 'ada', expires_at: '2126-01-01T00:00:00+01:00', dedupe_key: 'one' },
    });

    expect({ status, body }).toEqual({
      status: 201,
      body: {
        success: true,
        data: {
          ...{ id: uuid, user_id: 'bob', title: 'Hello', message: 'There you are', type: 'success' },
          ...{ category: 'orders', priority: 'HIGH', data: { a: [1, null] }, url: '/orders/1', actions: [] },
          ...{ actor_id: 'ada', is_read: false, read_at: null, expires_at: '2125-12-31T23:00:00.000Z' },
          ...{ created_at: instant, updated_at: instant },
        },
      },
    });
  });

  test('are sent to a user whose id is a number', async () => {
    const { status, body } = await send({ ...draft, user_id: 42 });

    expect(status).toBe(201);
    expect(body.data).toMatchObject({ user_id: '42', type: 'info', data: null });
    expect((await ask('GET', '/notifications', { as: '42' })).body.data).toHaveLength(1);
  });

  test('are sent once with one `dedupe_key`', async () => {
    const [first, second] = [
      await send({ ...draft, dedupe_key: 'twice' }),
      await send({ ...draft, title: 'Again', dedupe_key: 'twice' }),
    ];
    expect(second.body.data).toEqual(first.body.data);
  });

  test('are listed newest first, page by page, and read one by one', async () => {
    const sent: string[] = [];
    for (const title of ['one', 'two', 'three']) {
      sent.unshift((await send({ ...draft, user_id: 'ada', title })).body.data.id);
    }
    const list = async (query: string) => (await ask('GET', `/notifications${query}`, { as: 'ada' })).body;
    const first = await list('?limit=2');
    const second = await list(`?limit=2&after=${first.next}`);
    const marked = await ask('PUT', `/notifications/${sent[1]}/read`, { as: 'ada' });
    const unread = await list('?unread=true&limit=&after=');

    expect(first).toMatchObject({ success: true, data: [{ title: 'three' }, { title: 'two' }] });
    expect(second).toMatchObject({ success: true, data: [{ title: 'one' }], next: null });
    expect(marked).toMatchObject({
      status: 200,
      body: { success: true, data: { id: sent[1], is_read: true, read_at: instant } },
    });
    expect(unread.data.map(({ id }: { id: string }) => id)).toEqual([sent[0], sent[2]]);
    expect((await list('?unread=false')).data).toHaveLength(3);
  });

  test('are the same over GraphQL', async () => {
    const { body } = await send({ ...draft, title: 'Twin' });
    const query = 'query Read($id: ID!) { notification(id: $id) { title isRead } }';
    await ask('PUT', `/notifications/${body.data.id}/read`);

    expect((await server.ask('bob', query, { id: body.data.id })).notification).toEqual({
      title: 'Twin',
      isRead: true,
    });
  });

  test('are sent by staff alone, and read by their recipient', async () => {
    const { body } = await send(draft);
    const id = body.data.id;

    expect(await failure(send(draft, { as: 'ada', roles: [] }))).toBe('403 FORBIDDEN');
    expect(await failure(ask('PUT', `/notifications/${id}/read`, { as: 'ada' }))).toBe('404 NOT_FOUND');
    expect(await failure(ask('PUT', '/notifications/nonsense/read'))).toBe('404 NOT_FOUND');
    expect(await failure(ask('PUT', '/notifications/%E0%A4%A/read'))).toBe('404 NOT_FOUND');
    expect(await failure(send({ ...draft, user_id: 'nobody' }))).toBe('404 NOT_FOUND');
  });

  test.each([
    ['POST', '/notifications/send'],
    ['GET', '/notifications'],
    ['PUT', '/notifications/1/read'],
  ])(
    '%s %s is refused without a token, with one that is none, and with one in the address',
    async (method, path) => {
      const asked = { as: null, headers: json };
      const token = await server.token('robot', ['service']);

      expect(await failure(ask(method, path, asked))).toBe('401 UNAUTHENTICATED');
      expect(await failure(ask(method, `${path}?token=${token}`, asked))).toBe('401 UNAUTHENTICATED');
      const headers = { ...json, authorization: 'Bearer nonsense' };
      expect(await failure(ask(method, path, { as: null, headers }))).toBe('401 UNAUTHENTICATED');
    },
  );

  test.each([
    ['no JSON', '{', '400 BAD_USER_INPUT'],
    ['nothing', '', '400 BAD_USER_INPUT'],
    ['a list', '[]', '400 BAD_USER_INPUT'],
    ['null', 'null', '400 BAD_USER_INPUT'],
    ['an object without a title', '{"user_id":"bob","message":"x"}', '400 BAD_USER_INPUT'],
    ['a title that is a number', '{"user_id":"bob","title":1,"message":"x"}', '400 BAD_USER_INPUT'],
    ['an empty title', '{"user_id":"bob","title":" ","message":"x"}', '400 BAD_USER_INPUT'],
    ['an id that is a fraction', '{"user_id":1.5,"title":"x","message":"x"}', '400 BAD_USER_INPUT'],
    ['an id that is an object', '{"user_id":{},"title":"x","message":"x"}', '400 BAD_USER_INPUT'],
    [
      'a type that is none',
      '{"user_id":"bob","title":"x","message":"x","type":"No Such"}',
      '400 BAD_USER_INPUT',
    ],
    [
      'a field that is unknown',
      '{"user_id":"bob","title":"x","message":"x","dedupeKey":"x"}',
      '400 BAD_USER_INPUT',
    ],
    [
      'an instant that is none',
      '{"user_id":"bob","title":"x","message":"x","expires_at":"now"}',
      '400 BAD_USER_INPUT',
    ],
    ['NUL', '{"user_id":"bob","title":"x\\u0000","message":"x"}', '400 BAD_USER_INPUT'],
    [
      'a title that is too long',
      `{"user_id":"bob","title":"${'x'.repeat(201)}","message":"x"}`,
      '413 LIMIT_EXCEEDED',
    ],
    [
      'JSON that is nested too deep',
      `{"user_id":"bob","title":"x","message":"x","data":${'['.repeat(40)}${']'.repeat(40)}}`,
      '413 LIMIT_EXCEEDED',
    ],
    ['more than is allowed', `"${'x'.repeat(mostBodyBytes)}"`, '413 LIMIT_EXCEEDED'],
  ])('a body with %s is refused', async (_title, body, refusal) => {
    expect(await failure(send(null, { body }))).toBe(refusal);
  });

  test('a body of another type is refused with 415', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
      expect(await failure(send(draft, { headers: { 'content-type': type } }))).toBe('415 BAD_USER_INPUT');
    }
  });

  test.each([
    '?limit=0',
    '?limit=101',
    '?limit=-1',
    '?limit=1e1',
    '?limit=x',
    '?unread=maybe',
    '?after=nonsense',
  ])('GET /notifications%s is refused', async (query) => {
    expect(await failure(ask('GET', `/notifications${query}`))).toBe('400 BAD_USER_INPUT');
  });

  test.each([
    ['DELETE', '/notifications', 'GET, HEAD, OPTIONS'],
    ['GET', '/notifications/send', 'POST, OPTIONS'],
    ['POST', '/notifications/1/read', 'PUT, OPTIONS'],
    ['POST', '/realtime/events', 'GET, HEAD, OPTIONS'],
  ])('%s %s is refused with 405, and told what is allowed', async (method, path, allowed) => {
    const answer = await ask(method, path);
    expect(await failure(Promise.resolve(answer))).toBe('405 BAD_USER_INPUT');
    expect(answer.headers.get('allow')).toBe(allowed);
  });

  test.each([
    '/notifications/1',
    '/notifications/',
    '/notifications/1/read/',
    '/realtime',
    '/realtime/events/1',
  ])('nothing is at %s', async (path) => {
    expect(await failure(ask('GET', path))).toBe('404 NOT_FOUND');
  });

  test('HEAD is answered as GET is, without a body', async () => {
    const [list, stream] = [await ask('HEAD', '/notifications'), await ask('HEAD', '/realtime/events')];
    expect(list).toMatchObject({ status: 200, body: null });
    expect(stream).toMatchObject({ status: 200, body: null });
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect((await ask('HEAD', '/realtime/events?channels=none')).status).toBe(404);
    expect((await ask('HEAD', '/notifications', { as: null })).status).toBe(401);
  });

  test('a page of an allowed origin may use PUT', async () => {
    const { status, headers } = await ask('OPTIONS', '/notifications/1/read', {
      as: null,
      headers: {
        origin: 'http://localhost:5173',
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'authorization',
      },
    });

    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
    expect(headers.get('access-control-allow-methods')).toContain('PUT');
  });
});
