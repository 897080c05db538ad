import { once } from 'node:events';
import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type TestServer, testServer } from '../support/server.ts';

const foreign = 'https://elsewhere.example.com';
const configured = 'https://app.example.com';
const mostBodyBytes = 2_000;
const mostMessageBytes = 1_000;

let server: TestServer;
/** With what an operator sets. */
let configuredServer: TestServer;
let productionServer: TestServer;

beforeAll(async () => {
  server = await testServer('embedded');
  configuredServer = await testServer('postgres', {
    CORS_ORIGINS: configured,
    METRICS_TOKEN: 'let-me-measure',
    MAX_BODY_BYTES: String(mostBodyBytes),
    MAX_MESSAGE_BYTES: String(mostMessageBytes),
  });
  productionServer = await testServer('postgres', { NODE_ENV: 'production' });
});
afterAll(() => Promise.all([server, configuredServer, productionServer].map((each) => each.close())));

const typename = (at: TestServer, headers: Record<string, string> = {}) =>
  fetch(`${at.url}/graphql?query=${encodeURIComponent('{ __typename }')}`, { headers });

const post = async (at: TestServer, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${at.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${await at.token('ada')}`,
      ...headers,
    },
    body: JSON.stringify(body),
  });

const preflight = (at: TestServer, origin: string) =>
  fetch(`${at.url}/graphql`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,authorization',
    },
  });

const allowedOrigin = (response: Response) => response.headers.get('access-control-allow-origin');

/** How an upgrade is answered. */
function upgradeStatus(at: TestServer, path: string, origin: string): Promise<number> {
  const socket = new WebSocket(`${at.url.replace('http', 'ws')}${path}`, 'graphql-transport-ws', { origin });
  return new Promise((resolve) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode!));
    socket.on('upgrade', (response) => resolve(response.statusCode!));
    socket.on('open', () => socket.close());
    socket.on('error', () => {});
  });
}

describe('the audit of GraphQL over HTTP', () => {
  test.each(serverAudits({ url: 'http://unused' }).map(({ id, name }) => [id, name]))(
    '%s: %s',
    async (id) => {
      const audit = serverAudits({ url: `${server.url}/graphql`, fetchFn: fetch }).find(
        (each) => each.id === id,
      )!;
      const result = await audit.fn();
      expect(result).toMatchObject({ status: 'ok' });
    },
  );
});

describe('an HTTP operation', () => {
  test('that changes something is refused by GET', async () => {
    const query = encodeURIComponent('mutation { createChannel(input: { name: "by-get" }) { id } }');
    const response = await fetch(`${server.url}/graphql?query=${query}`, {
      headers: { authorization: `Bearer ${await server.token('ada')}` },
    });

    expect(response.status).toBe(405);
    expect((await server.ask('ada', '{ channel(name: "by-get") { id } }')).channel).toBeNull();
  });

  test('that changes something is refused by GET as an event stream too', async () => {
    const query = encodeURIComponent('mutation { createChannel(input: { name: "by-get-stream" }) { id } }');
    const response = await fetch(`${server.url}/graphql?query=${query}`, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${await server.token('ada')}` },
    });

    expect(await response.text()).toContain('BAD_USER_INPUT');
    expect((await server.ask('ada', '{ channel(name: "by-get-stream") { id } }')).channel).toBeNull();
  });

  test.each([
    ['application/json, text/event-stream', /^application\/json/],
    ['application/json', /^application\/json/],
    ['text/event-stream', /^text\/event-stream/],
    ['text/event-stream, application/json;q=0.5', /^text\/event-stream/],
    ['application/json;q=0.1, text/event-stream;q=0', /^application\/json/],
  ])('that is a query with `Accept: %s` is answered as %s', async (accept, type) => {
    const response = await post(server, { query: '{ viewer { id } }' }, { accept });

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(type);
    expect(await response.text()).toContain('{"data":{"viewer":{"id":"ada"}}}');
  });

  test('that subscribes is refused without an event stream', async () => {
    const response = await post(
      server,
      { query: 'subscription { notificationReceived { id } }' },
      { accept: 'application/json' },
    );

    expect(response.status).toBe(406);
  });

  test('that is a query as an event stream is one `next`, then `complete`', async () => {
    const response = await post(server, { query: '{ viewer { id } }' }, { accept: 'text/event-stream' });

    expect(await response.text()).toBe(
      'event: next\ndata: {"data":{"viewer":{"id":"ada"}}}\n\nevent: complete\ndata: \n\n',
    );
  });

  test.each([
    ['is no JSON', '{'],
    ['is a list', '[]'],
    ['is null', 'null'],
    ['has no query', '{}'],
    ['has a number for a query', '{"query":5}'],
    ['has a list for variables', '{"query":"{ __typename }","variables":[]}'],
  ])('whose body %s is refused with BAD_USER_INPUT', async (_title, body) => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${server.url}/graphql`, { method: 'POST', headers, body });

    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
  });

  test('of another media type gets HTTP 415', async () => {
    const headers = { 'content-type': 'text/plain' };
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers,
      body: '{ __typename }',
    });

    expect(response.status).toBe(415);
  });

  test('with a syntax error has the code GRAPHQL_PARSE_FAILED', async () => {
    const { errors } = await server.run('ada', '{ viewer');
    expect(errors?.[0]?.extensions.code).toBe('GRAPHQL_PARSE_FAILED');
  });

  test('that does not fit the schema has the code GRAPHQL_VALIDATION_FAILED', async () => {
    const { errors } = await server.run('ada', '{ nothingOfTheKind }');
    expect(errors?.[0]?.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
  });
});

describe('the origin of a page', () => {
  test('that is foreign gets no allow header', async () => {
    expect(allowedOrigin(await typename(server, { origin: foreign }))).toBeNull();
    expect(allowedOrigin(await typename(configuredServer, { origin: foreign }))).toBeNull();
    expect(allowedOrigin(await typename(productionServer, { origin: foreign }))).toBeNull();
  });

  test('that is configured is allowed', async () => {
    expect(allowedOrigin(await typename(configuredServer, { origin: configured }))).toBe(configured);
  });

  test('that is configured is allowed a preflight with its headers', async () => {
    const response = await preflight(configuredServer, configured);

    expect(response.status).toBe(204);
    expect(allowedOrigin(response)).toBe(configured);
    expect(response.headers.get('access-control-allow-headers')).toBe('content-type,authorization');
    expect(response.headers.get('access-control-allow-methods')).toContain('POST');
  });

  test('that is foreign is allowed no preflight', async () => {
    expect(allowedOrigin(await preflight(configuredServer, foreign))).toBeNull();
  });

  test.each(['http://localhost:5173', 'http://127.0.0.1:8080', 'http://[::1]:3000'])(
    'that is %s is allowed in development alone',
    async (origin) => {
      expect(allowedOrigin(await typename(server, { origin }))).toBe(origin);
      expect(allowedOrigin(await typename(productionServer, { origin }))).toBeNull();
    },
  );

  test('that only begins like an allowed one is foreign', async () => {
    const similar = { origin: `${configured}.evil.example` };
    expect(allowedOrigin(await typename(configuredServer, similar))).toBeNull();
    expect(allowedOrigin(await typename(server, { origin: 'http://localhost.evil.example' }))).toBeNull();
  });

  test.each([foreign, 'null', 'no origin at all'])(
    'that is foreign (%s) gets HTTP 403 at the upgrade to WebSocket',
    async (origin) => {
      expect(await upgradeStatus(server, '/graphql', origin)).toBe(403);
    },
  );

  test('that is allowed upgrades to WebSocket', async () => {
    expect(await upgradeStatus(configuredServer, '/graphql', configured)).toBe(101);
    expect(await upgradeStatus(server, '/graphql', server.url)).toBe(101);
  });

  test('does not matter where nothing upgrades: that is HTTP 404', async () => {
    expect(await upgradeStatus(server, '/elsewhere', server.url)).toBe(404);
  });
});

describe('a body', () => {
  const large = { query: '{ __typename }', variables: { filling: 'x'.repeat(mostBodyBytes) } };

  test('past MAX_BODY_BYTES gets HTTP 413 and LIMIT_EXCEEDED', async () => {
    const response = await post(configuredServer, large);

    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'LIMIT_EXCEEDED' } }] });
  });

  test('past MAX_BODY_BYTES gets HTTP 413 as an event stream too', async () => {
    expect((await post(configuredServer, large, { accept: 'text/event-stream' })).status).toBe(413);
  });

  test('of no said length past MAX_BODY_BYTES gets HTTP 413', async () => {
    const response = await fetch(`${configuredServer.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob([JSON.stringify(large)]).stream(),
      duplex: 'half',
    } as RequestInit);

    expect(response.status).toBe(413);
  });

  test('within MAX_BODY_BYTES is taken', async () => {
    expect((await post(configuredServer, { query: '{ __typename }' })).status).toBe(200);
  });
});

describe('a WebSocket message', () => {
  test('past MAX_MESSAGE_BYTES closes with 1009', async () => {
    const client = await configuredServer.socket('ada');
    client.run({ query: '{ __typename }', variables: { filling: 'x'.repeat(mostMessageBytes) } });

    expect((await client.closed).code).toBe(1009);
  });

  test('whose field is past its own limit gets LIMIT_EXCEEDED, and the socket lives', async () => {
    await server.ask('ada', 'mutation { createChannel(input: { name: "long" }) { id } }');
    const client = await server.socket('ada');
    const query =
      'mutation Send($body: String!) { sendMessage(input: { channel: "long", body: $body }) { id } }';
    const { errors } = await client.run({ query, variables: { body: 'x'.repeat(10_001) } }).next();

    expect(errors?.[0]?.extensions.code).toBe('LIMIT_EXCEEDED');
    expect((await client.run({ query: '{ viewer { id } }' }).next()).data.viewer.id).toBe('ada');
    await client.close();
  });

  test.each([
    ['before connection_init', { type: 'subscribe', id: '1', payload: { query: '{ __typename }' } }, 4401],
    ['of no known type', { type: 'nonsense' }, 4400],
  ])('%s closes with the code of the protocol', async (_title, message, code) => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    socket.send(JSON.stringify(message));

    expect((await once(socket, 'close'))[0]).toBe(code);
  });

  test('that is a second connection_init closes with 4429', async () => {
    const client = await server.socket('ada');
    client.send({ type: 'connection_init' });

    expect((await client.closed).code).toBe(4429);
  });

  test('that takes an id again closes with 4409', async () => {
    const client = await server.socket('ada');
    const query = 'subscription { notificationReceived { id } }';
    client.run({ query }, 'same');
    client.run({ query }, 'same');

    expect((await client.closed).code).toBe(4409);
  });
});

describe('an endpoint', () => {
  test('GET /live answers that the process lives', async () => {
    const response = await fetch(`${server.url}/live`);

    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'live' });
  });

  test('GET /ready answers that nothing is missing', async () => {
    const response = await fetch(`${server.url}/ready`);

    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ready' });
  });

  test('GET /metrics answers in the text format of Prometheus', async () => {
    const response = await fetch(`${server.url}/metrics`);

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=/);
    expect(await response.text()).toContain('# TYPE realtime_connections gauge');
  });

  test.each([
    'realtime_connections',
    'realtime_subscriptions',
    'realtime_events_published_total',
    'realtime_deliveries_total',
    'realtime_delivery_seconds',
    'realtime_executions_total',
    'realtime_catchups_total',
    'realtime_outbox_depth',
    'realtime_bus_connected',
    'realtime_resumes_total',
    'realtime_refusals_total',
    'process_cpu_seconds_total',
  ])('GET /metrics names %s', async (name) => {
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain(`# TYPE ${name} `);
  });

  test('GET /metrics wants METRICS_TOKEN where it is set', async () => {
    const metrics = (headers: Record<string, string>) =>
      fetch(`${configuredServer.url}/metrics`, { headers });

    expect((await metrics({})).status).toBe(401);
    expect((await metrics({ authorization: 'Bearer another' })).status).toBe(401);
    expect((await metrics({ authorization: 'Bearer let-me-measure' })).status).toBe(200);
  });

  test.each(['/elsewhere', '/graphql/deeper', '/live/', '/yoga-is-not-asked'])(
    '%s is not there, said as JSON',
    async (path) => {
      const response = await fetch(`${server.url}${path}`);

      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
    },
  );

  test('GET / is a page', async () => {
    const response = await fetch(server.url);

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    expect(await response.text()).toContain('<a href="/graphql">');
  });
});

describe('GraphiQL', () => {
  const page = async (at: TestServer) =>
    (await fetch(`${at.url}/graphql`, { headers: { accept: 'text/html,*/*;q=0.8' } })).text();

  test('is what a browser gets', async () => {
    expect(await page(server)).toContain('Gravitycar Realtime');
  });

  test('loads nothing from another host', async () => {
    const addresses = [
      ...(await page(server)).matchAll(/<(?:script|link|img)\b[^>]*\b(?:src|href)="?([^"\s>]+)/g),
    ];
    expect(
      addresses.map(([, address]) => address).filter((address) => /^(https?:)?\/\//.test(address!)),
    ).toEqual([]);
  });

  test('is not there in production', async () => {
    expect(await page(productionServer)).not.toMatch(/<html|graphiql/i);
    expect(await (await fetch(productionServer.url)).text()).not.toContain('GraphiQL');
  });

  test('is there in production where GRAPHIQL=1 asks for it, without a token', async () => {
    const asked = await testServer('postgres', { NODE_ENV: 'production', GRAPHIQL: '1' });
    const text = await page(asked);
    await asked.close();

    expect(text).toContain('Gravitycar Realtime');
    expect(text).not.toContain('Bearer ey');
  });
});
