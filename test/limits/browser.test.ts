import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type TestServer, testServer } from '../support/server.ts';

const foreign = 'https://evil.example.com';
const allowed = 'https://app.example.com';
/** What an app in a native shell sends. */
const native = 'capacitor://localhost';

let server: TestServer;
/** Where only the listed pages may talk to it. */
let listed: TestServer;
beforeAll(async () => {
  server = await testServer('postgres');
  listed = await testServer('postgres', { CORS_ORIGINS: `${allowed},${native}`, GRAPHIQL: '0' });
});
afterAll(() => Promise.all([server.close(), listed.close()]));

/** The client of the platform keeps `Host` and `Origin` to itself. */
async function ask(
  at: TestServer,
  path: string,
  headers: Record<string, string>,
  body?: string,
  method?: string,
) {
  const { hostname, port } = new URL(at.url);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest({ hostname, port, path, headers, method: method ?? (body ? 'POST' : 'GET') });
    request.on('response', resolve).on('error', reject).end(body);
  });
  return response;
}

const create = (name: string) => `mutation { createChannel(input: { name: "${name}" }) { id } }`;
const isThere = async (at: TestServer, name: string) =>
  (await at.ask('ada', `{ channel(name: "${name}") { id } }`)).channel !== null;
const bearer = async (at: TestServer) => ({ authorization: `Bearer ${await at.token('ada')}` });
const subscription = encodeURIComponent('subscription { notificationReceived { id } }');

describe('a page elsewhere', () => {
  test('opens no WebSocket: HTTP 403', async () => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      origin: foreign,
    });
    socket.on('error', () => {});
    const status = await new Promise((resolve) =>
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode)),
    );
    expect(status).toBe(403);
  });

  test.each(['/graphql', '/elsewhere'])(
    'opens no event stream at %s, with a good token: HTTP 403',
    async (path) => {
      const search = `?query=${subscription}&token=${await listed.token('ada')}`;
      const headers = { accept: 'text/event-stream', origin: foreign };
      const response = await ask(listed, path + search, headers);

      expect(response.statusCode).toBe(403);
      expect(JSON.parse(await text(response))).toMatchObject({
        errors: [{ extensions: { code: 'FORBIDDEN' } }],
      });
    },
  );

  test.each([allowed, native])('that is listed (%s) opens an event stream', async (origin) => {
    const search = `?query=${subscription}&token=${await listed.token('ada')}`;
    const response = await ask(listed, `/graphql${search}`, { accept: 'text/event-stream', origin });

    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'cache-control': expect.stringContaining('no-store'),
    });
    response.destroy();
  });

  test.each(['application/json', 'text/event-stream'])(
    'changes nothing by GET, whatever it accepts (%s)',
    async (accept) => {
      const name = `by-get-${accept.length}`;
      const search = `?query=${encodeURIComponent(create(name))}&token=${await server.token('ada')}`;
      const response = await ask(server, `/graphql${search}`, { accept, ...(await bearer(server)) });

      // Past the head of an event stream a status cannot say it.
      if (accept === 'application/json') {
        expect(response.statusCode).toBe(405);
        expect(response.headers.allow).toBe('POST');
      } else expect(await text(response)).toContain('BAD_USER_INPUT');
      expect(await isThere(server, name)).toBe(false);
    },
  );

  const bodies: [string, Record<string, string>, (query: string) => string][] = [
    ['a text', { 'content-type': 'text/plain' }, (query) => JSON.stringify({ query })],
    [
      'a text that says JSON',
      { 'content-type': 'text/plain; application/json' },
      (query) => JSON.stringify({ query }),
    ],
    [
      'a form',
      { 'content-type': 'application/x-www-form-urlencoded' },
      (query) => `${new URLSearchParams({ query })}`,
    ],
    [
      'a form of parts',
      { 'content-type': 'multipart/form-data; boundary=x' },
      (query) =>
        `--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n${JSON.stringify({ query })}\r\n--x--`,
    ],
    ['a body without a type', {}, (query) => JSON.stringify({ query })],
    ['two types', { 'content-type': 'application/json, text/plain' }, (query) => JSON.stringify({ query })],
    ['a GraphQL document', { 'content-type': 'application/graphql' }, (query) => query],
  ];
  test.each(bodies)('changes nothing by %s: HTTP 415', async (title, type, bodyOf) => {
    const name = `by-${title.replaceAll(' ', '-').toLowerCase()}`;
    for (const accept of ['*/*', 'text/event-stream']) {
      // Signed in, so that nothing else is the reason.
      const headers = { ...type, accept, ...(await bearer(server)) };
      const response = await ask(server, '/graphql', headers, bodyOf(create(name)));
      expect(response.statusCode).toBe(415);
      expect(JSON.parse(await text(response)).errors[0].extensions.code).toBe('BAD_USER_INPUT');
    }
    expect(await isThere(server, name)).toBe(false);
  });

  test('gets no CORS header, with its preflight and without', async () => {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const { headers } = await ask(listed, '/graphql', { origin: foreign }, undefined, method);
      const names = Object.keys(headers).filter((name) => name.startsWith('access-control-allow-'));
      expect([method, names, headers.vary]).toEqual([method, [], 'Origin']);
    }
  });

  test.each(['/graphql', '/live', '/ready', '/metrics', '/', '/elsewhere'])(
    'that is listed is told so at %s, and that no credentials are wanted',
    async (path) => {
      const { headers } = await ask(listed, path, { origin: allowed });
      expect(headers).toMatchObject({
        'access-control-allow-origin': allowed,
        'access-control-expose-headers': 'Retry-After,WWW-Authenticate',
        vary: 'Origin',
      });
      expect(headers['access-control-allow-credentials']).toBeUndefined();
    },
  );

  test('that is listed may send any header', async () => {
    const wanted = 'authorization,content-type,last-event-id,apollo-require-preflight,traceparent';
    const headers = { origin: allowed, 'access-control-request-headers': wanted };
    const response = await ask(listed, '/graphql', headers, undefined, 'OPTIONS');

    expect(response.statusCode).toBe(204);
    expect(response.headers['access-control-allow-headers']).toBe(wanted);
  });

  test('whose name points here gets GraphiQL without a token', async () => {
    const page = async (host: string) => text(await ask(server, '/graphql', { accept: 'text/html', host }));
    const { port } = new URL(server.url);

    expect(await page(`localhost:${port}`)).toContain('Bearer ey');
    for (const host of [`evil.example.com:${port}`, `localhost.evil.example.com:${port}`, '192.168.1.5']) {
      const html = await page(host);
      expect(html).toContain('Gravitycar Realtime');
      expect(html).not.toContain('Bearer ey');
    }
  });
});

describe('an answer to a browser', () => {
  const secure = {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
    'content-security-policy': expect.stringMatching(/^default-src 'none'; .*frame-ancestors 'none'/),
  };

  test.each([
    ['a page', '/', {}, 200],
    ['GraphiQL', '/graphql', { accept: 'text/html' }, 200],
    ['data', `/graphql?query=${encodeURIComponent('{ __typename }')}`, {}, 200],
    ['what is not understood', '/graphql?query={', { accept: 'application/graphql-response+json' }, 400],
    ['an address that is none', '//', {}, 400],
    ['a bad token', '/graphql', { authorization: 'Bearer bad' }, 401],
    ['nothing', '/elsewhere', {}, 404],
    ['health', '/live', {}, 200],
    ['metrics', '/metrics', {}, 200],
  ])('is safe to show: %s', async (_title, path, headers, status) => {
    const response = await ask(server, path, headers as Record<string, string>);
    response.resume();

    expect(response.statusCode).toBe(status);
    expect(response.headers).toMatchObject(secure);
  });

  test('is safe to show where an upgrade is refused', async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: ${foreign}\r\n\r\n`,
    );
    const lines = (await text(socket)).split('\r\n');

    expect(lines[0]).toBe('HTTP/1.1 403 Forbidden');
    expect(lines).toContain('referrer-policy: no-referrer');
  });

  test('says with HTTP 401 how to sign in', async () => {
    const { headers } = await ask(server, '/graphql', { authorization: 'Bearer bad' });
    expect(headers['www-authenticate']).toBe('Bearer');
  });

  test.each([
    ['/', 'style'],
    ['/graphql', 'script'],
  ])('runs nothing but what came with the page at %s', async (path, tag) => {
    const response = await ask(server, path, { accept: 'text/html' });
    const policy = String(response.headers['content-security-policy']);
    const html = await text(response);
    const inline = html.slice(html.indexOf(`<${tag}>`) + tag.length + 2, html.lastIndexOf(`</${tag}>`));
    const hash = createHash('sha256').update(inline).digest('base64');

    expect(policy).toContain(`${tag}-src 'sha256-${hash}'`);
    expect(policy).toMatch(/default-src 'none'/);
    expect(policy).not.toMatch(/script-src[^;]*unsafe|https?:|\*/);
  });

  test('has the right to connect to this server alone', async () => {
    const { headers } = await ask(server, '/graphql', { accept: 'text/html' });
    expect(headers['content-security-policy']).toMatch(/connect-src 'self'(;|$)/);
  });
});
