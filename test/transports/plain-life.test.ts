import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { eventBlock, withId } from '../../src/transports/event-block.ts';
import { eventually } from '../support/eventually.ts';
import { connectedEvents, PlainEvents, plainEvents } from '../support/plain-events.ts';
import { type TestServer, testServer } from '../support/server.ts';

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const emit = 'mutation Emit($input: EmitEventInput!) { emitEvent(input: $input) }';
const disconnect = 'mutation { disconnect(userId: "bob", reason: "maintenance") }';
const block = 'mutation Block($id: ID!, $blocked: Boolean) { blockUser(id: $id, blocked: $blocked) { id } }';

const emitted = (server: TestServer, type: string, payload: unknown = {}) =>
  server.ask('root', emit, { input: { type, payload } }, ['service']);

describe('a plain event stream', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('embedded');
    for (const person of ['bob', 'eve']) await server.ask(person, '{ viewer { id } }');
  });
  afterAll(() => server.close());

  test('ends with the token, saying so', async () => {
    const token = await server.token('bob', [], 2_000);
    const stream = new PlainEvents(`${server.url}/realtime/events?token=${token}`);
    await stream.next();

    expect(await stream.next()).toEqual({
      event: 'revoked',
      id: undefined,
      data: { code: 'UNAUTHENTICATED', message: 'The token has expired.', timestamp: instant },
    });
    expect(await stream.event()).toBeNull();
    const again = new PlainEvents(`${server.url}/realtime/events?token=${token}`);
    expect((await again.response).statusCode).toBe(401);
  });

  test('ends when its user is disconnected, and can be opened again where it ended', async () => {
    const stream = await connectedEvents(server, 'bob');
    await server.ask('root', disconnect, {}, ['admin']);

    expect((await stream.next()).data).toEqual({
      ...{ code: 'FORBIDDEN', message: 'maintenance', timestamp: instant },
    });
    expect(await stream.event()).toBeNull();
    await emitted(server, 'meanwhile');
    const headers = { 'last-event-id': stream.lastEventId! };
    const again = await connectedEvents(server, 'bob', '', { headers });
    expect((await again.next()).event).toBe('meanwhile');
    again.cut();
  });

  test('ends when its user is blocked, and is refused from then on', async () => {
    const stream = await connectedEvents(server, 'eve');
    await server.ask('root', block, { id: 'eve', blocked: true }, ['admin']);

    expect((await stream.next()).event).toBe('revoked');
    expect(await stream.event()).toBeNull();
    const again = await plainEvents(server, 'eve');
    expect((await again.response).statusCode).toBe(401);
    expect(JSON.parse(await again.refusal)).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
  });

  test('says `ping` every 15 seconds, with up to where everything has been told', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const stream = await connectedEvents(server, 'bob');
    const { lastEventId } = stream;
    await emitted(server, 'hello');
    const hello = await stream.next();
    vi.advanceTimersByTime(15_000);
    const ping = await stream.next();

    expect(hello.id).not.toBe(lastEventId);
    expect(ping).toEqual({ event: 'ping', id: expect.any(String), data: { timestamp: instant } });
    stream.cut();
    await stream.ended;
    vi.useRealTimers();
    await emitted(server, 'behind');
    const again = await connectedEvents(server, 'bob', `?lastEventId=${ping.id}`);
    expect((await again.next()).event).toBe('behind');
    again.cut();
  });

  test('is known as a session, with the channels that it was asked for', async () => {
    await server.ask('bob', 'mutation { createChannel(input: { name: "known" }) { id } }');
    const stream = await plainEvents(server, 'bob', '?channels=known');
    const { data } = await stream.next();
    const sessions = async () =>
      (await server.ask('bob', '{ viewer { sessions { id transport channels } } }')).viewer.sessions;

    await eventually(async () =>
      expect(await sessions()).toEqual([{ id: data.connection_id, transport: 'SSE', channels: ['known'] }]),
    );
    stream.cut();
    await eventually(async () => expect(await sessions()).toEqual([]));
  });

  test('is read by a stock EventSource, which comes back by itself and misses nothing', async () => {
    const url = `${server.url}/realtime/events?token=${await server.token('bob')}`;
    const source = new EventSource(url);
    const told: unknown[] = [];
    let opened = 0;
    source.addEventListener('connected', () => {
      opened += 1;
    });
    for (const type of ['one', 'two', 'three']) {
      source.addEventListener(type, ({ data }) => void told.push(JSON.parse(data)));
    }
    await eventually(() => expect(opened).toBe(1));
    await emitted(server, 'one', { n: 1 });
    await eventually(() => expect(told).toHaveLength(1));
    await server.ask('root', disconnect, {}, ['admin']);
    await emitted(server, 'two', { n: 2 });
    await eventually(() => expect(opened).toBe(2));
    await emitted(server, 'three', { n: 3 });

    await eventually(() => expect(told).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]));
    source.close();
  });
});

describe('SSE field injection through types and ids', () => {
  const nasty = 'a\nid: 1\r\nevent: connected\rdata: x\n\nevent: ping\u0000';

  test('is not possible in a block', () => {
    const text = withId(nasty, eventBlock(nasty, { [nasty]: `${nasty}\u2028\u2029\u0085\ufeff` }));
    expect(text.split(/\r\n|\r|\n/).map((line) => /^\w*/.exec(line)![0])).toEqual([
      'id',
      'event',
      'data',
      '',
      '',
    ]);
    expect(text).not.toContain('\u0000');
  });

  test('is refused by `emitEvent`, and finds no way through the database either', async () => {
    const server = await testServer('postgres');
    const refused = [
      nasty,
      'a\n',
      'a\r',
      'a\u0000',
      'a\u2028',
      ' a',
      'A',
      '',
      'connected',
      'revoked',
      'error',
    ];
    for (const type of refused) {
      const { errors } = await server.run('root', emit, { input: { type, payload: 1 } }, ['service']);
      expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
    }
    const source = new EventSource(`${server.url}/realtime/events?token=${await server.token('bob')}`);
    const types: string[] = [];
    const data: unknown[] = [];
    for (const type of ['connected', 'message', 'ping', 'position_expired', 'hello']) {
      source.addEventListener(type, (event) => {
        types.push(type);
        data.push(JSON.parse(event.data));
      });
    }
    await eventually(() => expect(types).toEqual(['connected']));
    await server.sql(
      `insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, payload)
       values (gen_random_uuid(), '{everyone}', '{all}', '{""}', 'emitted',
               E'x\\nevent: ping\\rdata: {}\\n\\nevent: connected', '{"payload": 1, "senderId": null}')`,
    );
    const payload = { text: 'a\nevent: ping\ndata: {}\n\n\r\r\u2028\ufeff' };
    await emitted(server, 'hello', payload);

    await eventually(() => expect(types.at(-1)).toBe('hello'));
    expect(types).toEqual(['connected', 'hello']);
    expect(data[1]).toEqual(payload);
    source.close();
    await server.close();
  });
});

describe('a node that drains', () => {
  test('tells plain streams to come back, and lets no more in', async () => {
    const server = await testServer('postgres', { DRAIN_SECONDS: '2' });
    const [first, second] = [await connectedEvents(server, 'bob'), await connectedEvents(server, 'bob')];
    const closed = server.close();
    const ended = await first.ended;
    const refused = await plainEvents(server, 'bob');
    const [response, refusal] = [await refused.response, await refused.refusal];
    await closed;

    expect(ended).toEqual({ retry: expect.stringMatching(/^\d{1,4}$/) });
    expect(await second.ended).toEqual({ retry: expect.stringMatching(/^\d{1,4}$/) });
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe('1');
    expect(JSON.parse(refusal)).toEqual({
      success: false,
      error: { code: 'UNAVAILABLE', message: expect.any(String), retry_after_ms: 1_000 },
    });
  });
});

describe('the limits', () => {
  test('hold for plain streams and for REST', async () => {
    const server = await testServer('postgres', {
      ...{ MAX_CONNECTIONS_PER_USER: '2', CONNECTION_RATE_PER_IP: '5/1h', OPERATION_RATE_PER_USER: '3/1h' },
    });
    const refusal = async (user: string) => {
      const stream = await plainEvents(server, user);
      const { statusCode, headers } = await stream.response;
      return `${statusCode} ${JSON.parse(await stream.refusal).error.code} ${headers['retry-after'] ?? ''}`.trim();
    };
    const streams = [await connectedEvents(server, 'bob'), await connectedEvents(server, 'bob')];
    expect(await refusal('bob')).toBe('429 LIMIT_EXCEEDED');
    streams.push(await connectedEvents(server, 'eve'), await connectedEvents(server, 'eve'));
    expect(await refusal('ada')).toMatch(/^429 RATE_LIMITED \d+$/);

    const headers = { authorization: `Bearer ${await server.token('bob')}` };
    const list = () => fetch(`${server.url}/notifications`, { headers });
    for (let index = 0; index < 3; index += 1) expect((await list()).status).toBe(200);
    const limited = await list();
    expect(limited.status).toBe(429);
    expect(await limited.json()).toMatchObject({
      error: { code: 'RATE_LIMITED', retry_after_ms: expect.any(Number) },
    });
    for (const stream of streams) stream.cut();
    await server.close();
  });
});

/** More than a kernel keeps for both ends, in so many events. */
const many = 250;

const emitMuch = (server: TestServer) =>
  server.sql(
    `insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, payload)
     select gen_random_uuid(), '{everyone}', '{all}', '{""}', 'emitted', 'much',
            jsonb_build_object('senderId', null, 'payload', jsonb_build_object('n', n, 'text', repeat('x', 60000)))
       from generate_series(1, ${many}) n`,
  );

/** On a busy machine a while may pass, in which there are some. */
async function nextBesidesPings(stream: PlainEvents): Promise<string> {
  const { event } = await stream.next();
  return event === 'ping' ? nextBesidesPings(stream) : event;
}

describe('a plain stream that is not read', () => {
  test('is told everything in order when it is read again', async () => {
    const server = await testServer('postgres', { SEND_BUFFER_BYTES: '200000' });
    const stream = await connectedEvents(server, 'bob');
    const response = await stream.response;
    response.socket.pause();
    await emitMuch(server);
    const written = () => server.metric('realtime_deliveries_total{transport="sse"}');
    await eventually(async () => expect(await written()).toBeGreaterThan(0));
    expect(await written()).toBeLessThan(many);
    response.socket.resume();
    const told: number[] = [];
    while (told.length < many) {
      const { event, data } = await stream.next();
      if (event === 'much') told.push(data.n);
    }

    expect(told).toEqual(Array.from({ length: many }, (_, index) => index + 1));
    stream.cut();
    await server.close();
  });

  test('goes on live, saying so, when the journal no longer holds what comes next', {
    timeout: 90_000,
  }, async () => {
    const server = await testServer('postgres', { JOURNAL_RETENTION: '4s', SEND_BUFFER_BYTES: '20000' });
    const stream = await connectedEvents(server, 'bob');
    const { lastEventId } = stream;
    const response = await stream.response;
    response.socket.pause();
    await emitMuch(server);
    await eventually(async () => {
      const [{ count }] = await server.sql(
        `select (select count(*) from realtime_outbox)::int + (select count(*) from realtime_events where kind = 'emitted')::int as count`,
      );
      expect(count).toBe(0);
    }, 40_000);
    const late = await connectedEvents(server, 'bob', `?after=${lastEventId}`);
    response.socket.resume();
    const told: string[] = [];
    while (told.at(-1) !== 'position_expired') told.push((await stream.next()).event);
    await emitted(server, 'live');

    expect(told.filter((event) => event === 'much').length).toBeLessThan(many);
    expect(await nextBesidesPings(stream)).toBe('live');
    expect(await nextBesidesPings(late)).toBe('position_expired');
    expect(await nextBesidesPings(late)).toBe('live');
    stream.cut();
    late.cut();
    await server.close();
  });
});
