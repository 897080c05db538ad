import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTokens, type Tokens } from '../../src/auth/tokens.ts';
import { secret, type TestServer, testServer } from '../support/server.ts';
import { EventStreamClient } from '../support/sse.ts';
import { SocketClient } from '../support/websocket.ts';

const key = new TextEncoder().encode(secret);
const unauthenticated = { code: 'UNAUTHENTICATED' };
const stolen = { kty: 'oct', k: Buffer.from('x'.repeat(32)).toString('base64url') };
const inAnHour = () => Math.floor(Date.now() / 1_000) + 3_600;

interface Claims extends Record<string, unknown> {
  sub?: string;
  exp?: number;
}

/** Signed by hand, so that anything can be said. */
function hmac(
  claims: Claims,
  { header = { alg: 'HS256' }, with: material = key as string | Uint8Array } = {},
): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const said = `${part(header)}.${part({ sub: 'ada', exp: inAnHour(), ...claims })}`;
  return `${said}.${createHmac('sha256', material).update(said).digest('base64url')}`;
}

describe('a token by a secret', () => {
  const tokens = createTokens({ secret });

  test('says who it is about', async () => {
    const exp = inAnHour();
    const token = hmac({
      sub: 'ada',
      exp,
      iat: 1_700_000_000,
      name: 'Ada',
      picture: '/ada.png',
      roles: ['admin'],
    });

    expect(await tokens.verify(token)).toEqual({
      userId: 'ada',
      name: 'Ada',
      picture: '/ada.png',
      roles: ['admin'],
      issuedAt: new Date(1_700_000_000_000),
      expiresAt: exp * 1_000,
    });
  });

  test('that is signed here is verified here', async () => {
    const token = await tokens.sign!({ userId: 'ada', name: 'Ada', roles: ['service'], lifetimeMs: 60_000 });
    expect(await tokens.verify(token)).toMatchObject({ userId: 'ada', name: 'Ada', roles: ['service'] });
  });

  test('may begin some seconds ahead of our clock, and ends by our clock', async () => {
    const nbf = Math.floor(Date.now() / 1_000) + 3;
    expect((await tokens.verify(hmac({ nbf }))).userId).toBe('ada');
  });

  test.each([1e300, -1e300, 8e12, inAnHour()])(
    'that was issued at %s counts as issued by now',
    async (iat) => {
      const { issuedAt } = await tokens.verify(hmac({ iat }));
      expect(issuedAt.getTime()).toBeGreaterThanOrEqual(0);
      expect(issuedAt.getTime()).toBeLessThanOrEqual(Date.now());
    },
  );

  test('leaves out what it does not say, or says in another type', async () => {
    const said = await tokens.verify(hmac({ name: 5, picture: ['x'], roles: 'admin' }));
    expect(said).toMatchObject({ name: undefined, picture: undefined, roles: [] });
  });

  test('has the roles that are known, each once, and no others', async () => {
    const { roles } = await tokens.verify(hmac({ roles: ['root', 'service', 'service', 'ADMIN', null, 5] }));
    expect(roles).toEqual(['service']);
  });

  test.each([
    ['one character', 'x'],
    ['128 characters', 'x'.repeat(128)],
    ['128 characters beyond the basic plane', '🦄'.repeat(128)],
    ['white space', 'a b'],
  ])('may be about a user with an id of %s', async (_title, sub) => {
    expect((await tokens.verify(hmac({ sub }))).userId).toBe(sub);
  });

  test.each([
    ['has expired', hmac({ exp: 1_000 })],
    ['expires this very second', hmac({ exp: Math.floor(Date.now() / 1_000) })],
    ['is not valid yet', hmac({ nbf: inAnHour() })],
    ['was signed with another secret', hmac({}, { with: 'another secret of the tests, as long' })],
    ['never expires', hmac({ exp: undefined })],
    ['expires at a word', hmac({ exp: 'never' as never })],
    ['is about nobody', hmac({ sub: undefined })],
    ['is about an empty id', hmac({ sub: '' })],
    ['is about a number', hmac({ sub: 5 as never })],
    ['is about an id of 129 characters', hmac({ sub: 'x'.repeat(129) })],
    ['is about an id with a line break', hmac({ sub: 'a\nb' })],
    ['is about an id with a NUL character', hmac({ sub: 'a\u0000b' })],
    ['is about an id with half a character', hmac({ sub: 'a\ud800' })],
    ['says algorithm none', hmac({}, { header: { alg: 'none' } })],
    [
      'says algorithm none, without a signature',
      `${hmac({}, { header: { alg: 'none' } })
        .split('.', 2)
        .join('.')}.`,
    ],
    ['says algorithm RS256', hmac({}, { header: { alg: 'RS256' } })],
    ['says algorithm HS512', hmac({}, { header: { alg: 'HS512' } })],
    ['says what is critical and unknown', hmac({}, { header: { alg: 'HS256', crit: ['x'], x: 1 } as never })],
    [
      'says that it is not encoded',
      hmac({}, { header: { alg: 'HS256', crit: ['b64'], b64: false } as never }),
    ],
    [
      'brings its key along',
      hmac({}, { header: { alg: 'HS256', jwk: stolen } as never, with: 'x'.repeat(32) }),
    ],
    ['was issued at a word', hmac({ iat: 'now' })],
    ['is longer than a header of HTTP may be', hmac({ name: 'x'.repeat(16_384) })],
    ['is nothing but dots', '.'.repeat(1_000)],
    ['has no signature', `${hmac({}).split('.', 2).join('.')}.`],
    ['is a word', 'token'],
    ['is empty', ''],
    [
      'was changed',
      hmac({}).replace(
        /\.[^.]+\./,
        `.${Buffer.from(`{"sub":"eve","exp":${inAnHour()}}`).toString('base64url')}.`,
      ),
    ],
  ])('that %s is refused', async (_title, token) => {
    await expect(tokens.verify(token)).rejects.toMatchObject(unauthenticated);
  });
});

describe('a token with an issuer and an audience', () => {
  const issuer = 'https://login.example.com';
  const tokens = createTokens({ secret, issuer, audience: 'realtime' });

  test.each([
    ['both', { iss: issuer, aud: 'realtime' }],
    ['the audience among others', { iss: issuer, aud: ['billing', 'realtime'] }],
  ])('that says %s is taken', async (_title, claims) => {
    expect((await tokens.verify(hmac(claims))).userId).toBe('ada');
  });

  test.each([
    ['another issuer', { iss: 'https://evil.example.com', aud: 'realtime' }],
    ['no issuer', { aud: 'realtime' }],
    ['another audience', { iss: issuer, aud: 'billing' }],
    ['no audience', { iss: issuer }],
  ])('that says %s is refused', async (_title, claims) => {
    await expect(tokens.verify(hmac(claims))).rejects.toMatchObject(unauthenticated);
  });

  test('that is signed here says both', async () => {
    const token = await tokens.sign!({ userId: 'ada', roles: [], lifetimeMs: 60_000 });
    expect((await tokens.verify(token)).userId).toBe('ada');
  });
});

describe('a token by a key of a JWKS', () => {
  type Algorithm = 'RS256' | 'ES256' | 'EdDSA' | 'PS256' | 'ES384';
  type Pair = Awaited<ReturnType<typeof generateKeyPair>>;
  const published: object[] = [];
  const pairs = new Map<string, Pair>();
  let keyServer: Server;
  let url: string;
  let fetches = 0;
  let tokens: Tokens;

  beforeAll(async () => {
    keyServer = createServer((_request, response) => {
      fetches += 1;
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: published }));
    }).listen(0, '127.0.0.1');
    await once(keyServer, 'listening');
    url = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/jwks.json`;
    for (const algorithm of ['RS256', 'ES256', 'EdDSA', 'PS256', 'ES384'] as const) await publish(algorithm);
    tokens = createTokens({ jwksUrl: url });
  });
  afterAll(() => keyServer.close());

  async function publish(alg: Algorithm, kid: string = alg): Promise<void> {
    const pair = await generateKeyPair(alg, { extractable: true });
    pairs.set(kid, pair);
    published.push({ ...(await exportJWK(pair.publicKey)), kid, alg, use: 'sig' });
  }

  const signed = (alg: string, kid: string, privateKey = pairs.get(kid)!.privateKey) =>
    new SignJWT({ roles: ['admin'] })
      .setProtectedHeader({ alg, kid })
      .setSubject('ada')
      .setExpirationTime('1h')
      .sign(privateKey);

  test.each(['RS256', 'ES256', 'EdDSA'])('is taken by algorithm %s', async (alg) => {
    expect(await tokens.verify(await signed(alg, alg))).toMatchObject({ userId: 'ada', roles: ['admin'] });
  });

  test.each(['PS256', 'ES384'])('is refused by algorithm %s', async (alg) => {
    await expect(tokens.verify(await signed(alg, alg))).rejects.toMatchObject(unauthenticated);
  });

  test('is not signed here', () => {
    expect(tokens.sign).toBeNull();
  });

  test('that another key of the same name signed is refused', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    await expect(tokens.verify(await signed('RS256', 'RS256', privateKey))).rejects.toMatchObject(
      unauthenticated,
    );
  });

  test('that HS256 signed with the public key as its secret is refused', async () => {
    const pem = await exportSPKI(pairs.get('RS256')!.publicKey);
    const jwk = JSON.stringify(published[0]);
    for (const material of [pem, pem.trim(), jwk, '']) {
      const token = hmac({}, { header: { alg: 'HS256', kid: 'RS256' } as never, with: material });
      await expect(tokens.verify(token)).rejects.toMatchObject(unauthenticated);
    }
  });

  test('that says algorithm none is refused', async () => {
    const token = `${hmac({}, { header: { alg: 'none', kid: 'RS256' } as never })
      .split('.', 2)
      .join('.')}.`;
    await expect(tokens.verify(token)).rejects.toMatchObject(unauthenticated);
  });

  test('that expired is refused', async () => {
    const token = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256', kid: 'ES256' })
      .setSubject('ada')
      .setExpirationTime(1_000)
      .sign(pairs.get('ES256')!.privateKey);
    await expect(tokens.verify(token)).rejects.toMatchObject(unauthenticated);
  });

  test('of no key that is published is refused', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    await expect(tokens.verify(await signed('RS256', 'unknown', privateKey))).rejects.toMatchObject(
      unauthenticated,
    );
  });

  test('costs no fetch when its key is known', async () => {
    await tokens.verify(await signed('ES256', 'ES256'));
    const before = fetches;
    await tokens.verify(await signed('ES256', 'ES256'));
    await tokens.verify(await signed('RS256', 'RS256'));
    expect(fetches).toBe(before);
  });
});

describe('a request', () => {
  const expired = hmac({ exp: 1_000 });
  const forged = hmac({}, { with: 'another secret of the tests, as long' });
  const viewer = '{ viewer { id } }';
  let server: TestServer;
  let graphql: string;

  beforeAll(async () => {
    server = await testServer('postgres');
    graphql = `${server.url}/graphql`;
  });
  afterAll(() => server.close());

  const ask = (query: string, headers: Record<string, string>) =>
    fetch(graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
    });

  const userOf = async (id: string) =>
    (await server.ask('somebody', `{ user(id: "${id}") { name avatarUrl } }`)).user;

  describe('over HTTP', () => {
    test.each([
      ['expired', `Bearer ${expired}`],
      ['forged', `Bearer ${forged}`],
      ['a word', 'Bearer token'],
      ['of another scheme', 'Basic YWRhOnB3'],
      ['missing', 'Bearer'],
      ['two', `Bearer ${hmac({})} ${hmac({})}`],
    ])('with a token that is %s gets HTTP 401 and UNAUTHENTICATED', async (_title, authorization) => {
      const response = await ask(viewer, { authorization });

      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ errors: [{ extensions: unauthenticated }] });
    });

    test('says that the token has expired', async () => {
      const { errors } = await (await ask(viewer, { authorization: `Bearer ${expired}` })).json();
      expect(errors[0].message).toBe('The token has expired.');
    });

    test('takes the scheme in any case', async () => {
      const response = await ask(viewer, { authorization: `bearer ${hmac({})}` });
      expect(await response.json()).toEqual({ data: { viewer: { id: 'ada' } } });
    });

    test.each([
      viewer,
      '{ user(id: "ada") { id } }',
      '{ channel(name: "general") { id } }',
      '{ channels { edges { cursor } } }',
      '{ notification(id: "x") { id } }',
      '{ notifications { totalCount } }',
      'mutation { createChannel(input: { name: "general" }) { id } }',
      'mutation { joinChannel(name: "general") { id } }',
      'mutation { leaveChannel(name: "general") { id } }',
      'mutation { addChannelMember(channel: "general", userId: "ada") { id } }',
      'mutation { removeChannelMember(channel: "general", userId: "ada") { id } }',
      'mutation { setChannelMemberRole(channel: "general", userId: "ada", role: OWNER) { id } }',
      'mutation { deleteChannel(name: "general") }',
      'mutation { sendMessage(input: { channel: "general", body: "hello" }) { id } }',
      'mutation { editMessage(id: "x", body: "hello") { id } }',
      'mutation { deleteMessage(id: "x") { id } }',
      'mutation { markNotificationRead(id: "x") { id } }',
      'mutation { sendNotification(input: { userId: "ada", title: "t", message: "m" }) { id } }',
      'mutation { sendNotifications(inputs: []) { id } }',
      'mutation { emitEvent(input: { type: "hello", payload: {} }) }',
      'mutation { upsertUser(id: "ada", name: "Ada") { id } }',
    ])('without a token answers UNAUTHENTICATED to %s', async (query) => {
      const response = await ask(query, {});

      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ errors: [{ extensions: unauthenticated }] });
    });

    test('without a token answers what everybody may know', async () => {
      expect(await (await ask('{ __typename }', {})).json()).toEqual({ data: { __typename: 'Query' } });
    });

    test('takes no token from its URL', async () => {
      const response = await fetch(`${graphql}?query=${encodeURIComponent(viewer)}&token=${hmac({})}`);
      expect(await response.json()).toMatchObject({ errors: [{ extensions: unauthenticated }] });
    });
  });

  describe('over WebSocket', () => {
    test.each([
      ['in `authorization`', { authorization: `Bearer ${hmac({})}` }, ''],
      ['in `Authorization`', { Authorization: `Bearer ${hmac({})}` }, ''],
      ['in `token`', { token: hmac({}) }, ''],
      ['in `?token=`', undefined, `?token=${hmac({})}`],
      ['in `?token=` with an empty payload', {}, `?token=${hmac({})}`],
    ])('is let in by a token %s', async (_title, init, search) => {
      const client = new SocketClient(graphql + search, init);

      expect(await client.acknowledged).toEqual({
        connectionId: expect.any(String),
        position: expect.any(String),
      });
      expect((await client.run({ query: viewer }).next()).data.viewer.id).toBe('ada');
      await client.close();
    });

    test.each([
      ['without a token', undefined, ''],
      ['with an expired one', { authorization: `Bearer ${expired}` }, ''],
      ['with a forged one', { token: forged }, ''],
      ['with a forged one in the URL', undefined, `?token=${forged}`],
      ['with something else in its place', { token: { toString: 'x' } }, ''],
      ['with an empty one', { token: '' }, ''],
    ])('is closed with 4403 %s', async (_title, init, search) => {
      const client = new SocketClient(graphql + search, init);
      expect((await client.closed).code).toBe(4403);
    });

    test('is closed with 4403 "token expired" when its token expires', async () => {
      const client = new SocketClient(graphql, { token: await server.token('ada', [], 2_000) });
      await client.acknowledged;
      expect(await client.closed).toEqual({ code: 4403, reason: 'token expired' });
    });
  });

  describe('for an event stream', () => {
    const subscribe = { query: 'subscription { notificationReceived { id } }' };

    test.each([
      ['without a token', null],
      ['with an expired one', expired],
      ['with a forged one', forged],
    ])('gets HTTP 401 %s', async (_title, token) => {
      const client = new EventStreamClient(graphql, token, subscribe);
      expect((await client.response).statusCode).toBe(401);
      client.cut();
    });

    test('is let in by `?token=`', async () => {
      const client = new EventStreamClient(`${graphql}?token=${hmac({})}`, null, subscribe);
      expect(await client.opened).toEqual(expect.any(String));
      client.cut();
    });

    test('ends with UNAUTHENTICATED and its completion when the token expires', async () => {
      const token = await server.token('bob', [], 2_000);
      const client = new EventStreamClient(graphql, token, subscribe);
      await client.opened;

      expect((await client.stream.next()).errors).toMatchObject([{ extensions: unauthenticated }]);
      expect(await client.ended).toBe('complete');
    });
  });

  test('with a token of the next thirty years stays, without a warning of a timer', async () => {
    const warnings: string[] = [];
    const listen = (warning: Error) => warnings.push(warning.name);
    process.on('warning', listen);
    const token = hmac({ exp: inAnHour() + 30 * 365 * 86_400 });
    const socket = new SocketClient(graphql, { token });
    await socket.acknowledged;
    const stream = new EventStreamClient(graphql, token, {
      query: 'subscription { eventReceived { type } }',
    });
    await stream.opened;
    await server.ask('root', 'mutation { emitEvent(input: { type: "hello", payload: {} }) }', {}, [
      'service',
    ]);

    expect((await stream.stream.next()).data.eventReceived.type).toBe('hello');
    expect((await socket.run({ query: viewer }).next()).data.viewer.id).toBe('ada');
    expect(warnings).toEqual([]);
    process.off('warning', listen);
    stream.cut();
    await socket.close();
  });

  describe("makes its user's row", () => {
    const now = () => Math.floor(Date.now() / 1_000);
    const seen = (sub: string, claims: Claims) =>
      ask(viewer, { authorization: `Bearer ${hmac({ sub, ...claims })}` });
    const upsert = (id: string, name: string) =>
      server.ask('root', `mutation { upsertUser(id: "${id}", name: "${name}") { id } }`, {}, ['service']);

    test('from its token, when it is first seen', async () => {
      await seen('grace', { name: 'Grace', picture: '/grace.png' });
      expect(await userOf('grace')).toEqual({ name: 'Grace', avatarUrl: '/grace.png' });
    });

    test('under its id where the token has no name', async () => {
      await seen('nameless', {});
      expect(await userOf('nameless')).toEqual({ name: 'nameless', avatarUrl: null });
    });

    test('over a WebSocket too', async () => {
      const client = new SocketClient(graphql, { token: hmac({ sub: 'by-socket', name: 'Socket' }) });
      await client.acknowledged;
      await client.close();
      expect(await userOf('by-socket')).toMatchObject({ name: 'Socket' });
    });

    test('anew from a newer token, and not from an older one', async () => {
      await seen('linus', { name: 'Linus', iat: now() - 100 });
      await seen('linus', { name: 'Linus T.', iat: now() - 50 });
      expect(await userOf('linus')).toMatchObject({ name: 'Linus T.' });
      await seen('linus', { name: 'Old Linus', iat: now() - 80 });
      expect(await userOf('linus')).toMatchObject({ name: 'Linus T.' });
    });

    test('and keeps what a newer token leaves out', async () => {
      await seen('alan', { name: 'Alan', picture: '/alan.png', iat: now() - 100 });
      await seen('alan', { iat: now() - 50 });
      expect(await userOf('alan')).toEqual({ name: 'Alan', avatarUrl: '/alan.png' });
    });

    test('but does not overwrite what upsertUser wrote with an older token', async () => {
      await upsert('ken', 'Ken by hand');
      await seen('ken', { name: 'Ken by token', iat: now() - 100 });
      expect(await userOf('ken')).toMatchObject({ name: 'Ken by hand' });
    });

    test('and overwrites what upsertUser wrote with a newer token', async () => {
      await upsert('dennis', 'Dennis by hand');
      await seen('dennis', { name: 'Dennis by token', iat: now() + 5 });
      expect(await userOf('dennis')).toMatchObject({ name: 'Dennis by token' });
    });

    test('whatever the length of the name', async () => {
      const response = await seen('long', { name: 'x'.repeat(5_000), picture: `/${'y'.repeat(5_000)}` });
      expect(response.status).toBe(200);
    });

    test('whatever characters are in the name', async () => {
      const response = await seen('odd', { name: 'a\u0000b', picture: '/\u0000' });
      expect(response.status).toBeLessThan(500);
    });
  });
});
