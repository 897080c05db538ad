import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createTokens, type Tokens } from '../../src/auth/tokens.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { SocketClient } from '../support/websocket.ts';

const unauthenticated = { code: 'UNAUTHENTICATED' };
const unavailable = { code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) };
const minute = 60_000;

/** Signed by hand, so that any header can be said. */
function signed(privateKey: KeyObject, header: object, lifetimeSeconds = 86_400): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1_000) + lifetimeSeconds;
  const said = `${part({ alg: 'RS256', ...header })}.${part({ sub: 'ada', roles: ['admin'], exp })}`;
  return `${said}.${sign('RSA-SHA256', Buffer.from(said), privateKey).toString('base64url')}`;
}

const rsa = (modulusLength = 2_048) => generateKeyPairSync('rsa', { modulusLength });
const [one, other, stranger] = [rsa(), rsa(), rsa()];
const published = ({ publicKey }: { publicKey: KeyObject }, kid: string) => ({
  ...publicKey.export({ format: 'jwk' }),
  kid,
  alg: 'RS256',
  use: 'sig',
});

let answer: RequestListener;
let asked = 0;
let keyServer: Server;
let url: string;
beforeAll(async () => {
  keyServer = createServer((request, response) => {
    asked += 1;
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(keyServer, 'listening');
  url = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/keys`;
});
afterAll(() => keyServer.close().closeAllConnections());

const publish = (...keys: object[]) => {
  answer = (_request, response) => response.end(JSON.stringify({ keys }));
};
const beAway = () => {
  answer = (_request, response) => response.writeHead(503).end();
};

let tokens: Tokens;
let complaints: unknown[];
beforeEach(() => {
  asked = 0;
  complaints = [];
  publish(published(one, 'one'));
  tokens = createTokens({ jwksUrl: url, failed: (error) => complaints.push(error) });
});
afterEach(() => vi.restoreAllMocks());

/** As if so much time had passed. */
function later(milliseconds: number): void {
  const now = performance.now() + milliseconds;
  vi.spyOn(performance, 'now').mockReturnValue(now);
}

const byOne = () => tokens.verify(signed(one.privateKey, { kid: 'one' }));
const byOther = () => tokens.verify(signed(other.privateKey, { kid: 'other' }));

describe('a key that is published', () => {
  test('is fetched once for all tokens', async () => {
    await Promise.all([byOne(), byOne(), byOne()]);
    await byOne();
    expect(asked).toBe(1);
  });

  test('later is found as soon as a token names it, once ten seconds have passed', async () => {
    await byOne();
    publish(published(one, 'one'), published(other, 'other'));
    await expect(byOther()).rejects.toMatchObject(unauthenticated);
    expect(asked).toBe(1);

    later(10_000);
    expect((await byOther()).userId).toBe('ada');
    expect(asked).toBe(2);
  });

  test('no more is refused after five minutes', async () => {
    await byOne();
    publish(published(other, 'other'));
    later(5 * minute - 1_000);
    expect((await byOne()).userId).toBe('ada');
    later(1_000);
    await expect(byOne()).rejects.toMatchObject(unauthenticated);
  });

  test('is not asked for because of a hundred tokens of keys that are none', async () => {
    await byOne();
    later(10_000);
    const names = Array.from({ length: 100 }, (_, index) => `none-${index}`);
    await Promise.all(
      names.map((kid) =>
        expect(tokens.verify(signed(stranger.privateKey, { kid }))).rejects.toMatchObject(unauthenticated),
      ),
    );
    expect(asked).toBe(2);
  });

  test('without a name is found where it is the only one that fits', async () => {
    const { kid: _kid, ...nameless } = published(one, '');
    publish(nameless, { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') });
    expect((await tokens.verify(signed(one.privateKey, {}))).userId).toBe('ada');
  });
});

describe('while the server of the keys is away', () => {
  test('what cannot be checked is UNAVAILABLE, and the operator is told', async () => {
    beAway();
    await expect(byOne()).rejects.toMatchObject(unavailable);
    expect(complaints).toMatchObject([{ message: 'The keys are answered with HTTP 503.' }]);
  });

  test('so is it where nobody listens', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    tokens = createTokens({ jwksUrl: `http://127.0.0.1:${port}/` });
    await expect(byOne()).rejects.toMatchObject(unavailable);
  });

  test('it is asked once a second, and what it gives when it is back is taken', async () => {
    beAway();
    for (let attempt = 0; attempt < 10; attempt += 1)
      await expect(byOne()).rejects.toMatchObject(unavailable);
    expect(asked).toBe(1);

    publish(published(one, 'one'));
    later(1_000);
    expect((await byOne()).userId).toBe('ada');
  });

  test('keys that it gave are good for an hour, and are not waited for', async () => {
    await byOne();
    beAway();
    later(59 * minute);
    expect((await byOne()).userId).toBe('ada');
    answer = () => {};
    expect((await byOne()).userId).toBe('ada');
    later(minute);
    await expect(byOne()).rejects.toMatchObject(unavailable);
  });

  test('a key that is not known is UNAVAILABLE: it may have been published', async () => {
    await byOne();
    beAway();
    later(10_000);
    await expect(byOther()).rejects.toMatchObject(unavailable);
  });
});

describe('an answer of the server of the keys', () => {
  test.each<[string, RequestListener]>([
    ['is no JSON', (_request, response) => response.end('<html>')],
    ['is no set of keys', (_request, response) => response.end('{"keys":"none"}')],
    ['is empty', (_request, response) => response.end()],
    ['sends elsewhere', (_request, response) => response.writeHead(302, { location: url }).end()],
  ])('that %s is UNAVAILABLE', async (_title, listener) => {
    answer = listener;
    await expect(byOne()).rejects.toMatchObject(unavailable);
    expect([asked, complaints.length]).toEqual([1, 1]);
  });

  test('that does not end is not read to its end', async () => {
    const cut = new Promise((resolve) => {
      answer = (_request, response) => {
        const filling = setInterval(() => response.write('"'.repeat(65_536)), 1);
        response.once('close', () => resolve(clearInterval(filling)));
      };
    });
    await expect(byOne()).rejects.toMatchObject(unavailable);
    await cut;
  });

  test('that does not come is waited for, for five seconds', async () => {
    const { timeout } = AbortSignal;
    const waited = vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => timeout(20));
    answer = () => {};
    await expect(byOne()).rejects.toMatchObject(unavailable);
    expect(waited).toHaveBeenCalledWith(5_000);
  });

  test('with a key that is too weak is UNAVAILABLE, and the operator is told', async () => {
    const weak = rsa(1_024);
    publish(published(weak, 'weak'));
    await expect(tokens.verify(signed(weak.privateKey, { kid: 'weak' }))).rejects.toMatchObject(unavailable);
    expect(String(complaints[0])).toContain('2048');
  });
});

describe('a token', () => {
  const evil = { ...stranger.publicKey.export({ format: 'jwk' }), kid: 'one' };

  test.each<[string, object]>([
    ['its own key', { jwk: evil }],
    ['the address of its key', { jku: 'http://127.0.0.1:1/keys' }],
    ['a certificate', { x5c: ['MIIB'], x5t: 'x' }],
    ['the address of a certificate', { x5u: 'http://127.0.0.1:1/certificate' }],
  ])('that brings %s along is refused', async (_title, header) => {
    const token = signed(stranger.privateKey, { kid: 'one', ...header });
    await expect(tokens.verify(token)).rejects.toMatchObject(unauthenticated);
    expect(asked).toBe(1);
  });

  test.each([
    '../../../dev/null',
    "' or 1=1 --",
    '__proto__',
    'constructor',
    'http://127.0.0.1:1/',
    '\u0000',
  ])('that names a key %j is refused', async (kid) => {
    await expect(tokens.verify(signed(stranger.privateKey, { kid }))).rejects.toMatchObject(unauthenticated);
  });

  test.each([[5], [['one']], [{ kid: 'one' }], [null]])(
    'that names no key but %j needs its signature',
    async (kid) => {
      await expect(tokens.verify(signed(stranger.privateKey, { kid }))).rejects.toMatchObject(
        unauthenticated,
      );
    },
  );

  test.each(['ES256', 'EdDSA', 'PS256', 'HS256', 'RS512', 'none'])(
    'that says algorithm %s of a key of RS256 is refused',
    async (alg) => {
      await byOne();
      const token = signed(one.privateKey, { kid: 'one', alg });
      await expect(tokens.verify(token)).rejects.toMatchObject(unauthenticated);
    },
  );

  test('by a secret that is published is refused', async () => {
    const k = Buffer.from('x'.repeat(32));
    publish({ kty: 'oct', kid: 'secret', alg: 'HS256', k: k.toString('base64url') });
    const [header, payload] = signed(one.privateKey, { kid: 'secret', alg: 'HS256' }).split('.');
    const said = `${header}.${payload}`;
    const token = `${said}.${createHmac('sha256', k).update(said).digest('base64url')}`;
    await expect(tokens.verify(token)).rejects.toMatchObject(unauthenticated);
  });
});

describe('a server whose keys are elsewhere', () => {
  let server: TestServer;
  beforeAll(async () => {
    publish(published(one, 'one'));
    server = await testServer('postgres', { JWT_SECRET: '', JWT_JWKS_URL: url });
  });
  afterAll(() => server.close());

  const ask = (token: string) =>
    fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: '{ viewer { id roles } }' }),
    });

  test('says 503 and when to come back while they are away, and goes on when they are there', async () => {
    beAway();
    const refused = await ask(signed(one.privateKey, { kid: 'one' }));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    const socket = new SocketClient(`${server.url}/graphql`, {
      token: signed(one.privateKey, { kid: 'one' }),
    });
    expect((await socket.closed).code).toBe(1013);

    publish(published(one, 'one'));
    later(1_000);
    expect(await (await ask(signed(one.privateKey, { kid: 'one' }))).json()).toEqual({
      data: { viewer: { id: 'ada', roles: ['admin'] } },
    });
  });

  test('keeps a connection whose token is refreshed by one that cannot be checked', async () => {
    const socket = new SocketClient(`${server.url}/graphql`, {
      token: signed(one.privateKey, { kid: 'one' }),
    });
    await socket.acknowledged;
    beAway();
    later(20_000);
    const query = 'mutation Refresh($token: String!) { refreshToken(token: $token) }';
    const token = signed(other.privateKey, { kid: 'other' });
    const { errors } = await socket.run({ query, variables: { token } }).next();

    expect(errors?.[0]?.extensions.code).toBe('UNAVAILABLE');
    expect((await socket.run({ query: '{ viewer { id } }' }).next()).data.viewer.id).toBe('ada');
    await socket.close();
  });

  test('closes a connection whose token expires while another is still being looked at', async () => {
    const token = signed(one.privateKey, { kid: 'one' }, 2);
    const socket = new SocketClient(`${server.url}/graphql`, { token });
    await socket.acknowledged;
    later(minute);
    let publishNow = () => {};
    answer = (_request, response) => {
      publishNow = () =>
        response.end(JSON.stringify({ keys: [published(one, 'one'), published(other, 'other')] }));
    };
    const query = 'mutation Refresh($token: String!) { refreshToken(token: $token) }';
    const refreshing = socket.run({
      query,
      variables: { token: signed(other.privateKey, { kid: 'other' }) },
    });

    expect(await socket.closed).toEqual({ code: 4403, reason: 'token expired' });
    publishNow();
    expect(await refreshing.frame()).toBeNull();
    expect((await ask(signed(other.privateKey, { kid: 'other' }))).status).toBe(200);
  });
});
