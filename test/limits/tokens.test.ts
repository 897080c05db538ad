import { createHmac, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { spawnServer, tokenOf } from '../support/process.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { EventStreamClient } from '../support/sse.ts';
import { SocketClient } from '../support/websocket.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const listen = { query: 'subscription { notificationReceived { id } }' };
const whoAmI = { query: '{ viewer { id } }' };
const refresh = 'mutation Refresh($token: String!) { refreshToken(token: $token) }';

const until = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const signed = (exp: number) =>
  new SignJWT({ roles: ['admin'], sub: 'ada', exp })
    .setProtectedHeader({ alg: 'RS256', kid: 'key' })
    .sign(privateKey);

function claimed(alg: string, signature: (said: string) => string): string {
  const said = `${part({ alg, kid: 'key' })}.${part({ sub: 'ada', roles: ['admin'], exp: until(3_600) })}`;
  return `${said}.${signature(said)}`;
}

describe('a server refuses on every wire', () => {
  let keyServer: Server;
  let server: TestServer;
  let graphql: string;
  let socket: SocketClient;

  beforeAll(async () => {
    const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'key' }];
    keyServer = createServer((_request, response) => response.end(JSON.stringify({ keys })));
    await once(keyServer.listen(0, '127.0.0.1'), 'listening');
    const { port } = keyServer.address() as AddressInfo;
    server = await testServer('postgres', { JWT_SECRET: '', JWT_JWKS_URL: `http://127.0.0.1:${port}/` });
    graphql = `${server.url}/graphql`;
    socket = new SocketClient(graphql, { token: await signed(until(3_600)) });
    await socket.acknowledged;
  });
  afterAll(async () => {
    await socket.close();
    await server.close();
    keyServer.close();
  });

  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  test.each<[string, () => string | Promise<string>]>([
    ['a stolen token that has expired', () => signed(until(-1))],
    ['a token that nobody signed (alg: none)', () => claimed('none', () => '')],
    [
      'a token signed with the public key as if it were a secret (key confusion)',
      () => claimed('HS256', (said) => createHmac('sha256', pem).update(said).digest('base64url')),
    ],
    [
      'a token with the signature of another',
      async () => `${claimed('RS256', () => '')}${(await signed(until(60))).split('.')[2]}`,
    ],
  ])('%s', async (_title, make) => {
    const token = await make();
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const http = await fetch(graphql, { method: 'POST', headers, body: JSON.stringify(whoAmI) });
    const stream = new EventStreamClient(graphql, token, listen);
    const byUrl = new EventStreamClient(`${graphql}?token=${token}`, null, listen);
    const init = new SocketClient(graphql, { authorization: `Bearer ${token}` });
    const initByUrl = new SocketClient(`${graphql}?token=${token}`, {});
    const refreshed = await socket.run({ query: refresh, variables: { token } }).next();

    expect([http.status, (await stream.response).statusCode, (await byUrl.response).statusCode]).toEqual([
      401, 401, 401,
    ]);
    expect([(await init.closed).code, (await initByUrl.closed).code]).toEqual([4403, 4403]);
    expect(refreshed.errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    expect((await socket.run(whoAmI).next()).data.viewer.id).toBe('ada');
  });
});

describe('a token', () => {
  test('is in no log and no answer, whatever is asked with it and goes wrong', async () => {
    const database = await freshDatabase();
    const server = await spawnServer({ DATABASE_URL: database.url, LOG_LEVEL: 'trace' });
    const [url, token] = [`${server.url}/graphql`, await tokenOf('ada')];
    const bad = `${token}x`;
    const answers: string[] = [];

    for (const search of [token, bad]) {
      const headers = { authorization: `Bearer ${search}`, 'content-type': 'application/json' };
      const asked: [string, RequestInit][] = [
        [`/graphql?query={viewer{id}}&token=${search}`, {}],
        [
          `/graphql?query=subscription{nothing}&token=${search}`,
          { headers: { accept: 'text/event-stream' } },
        ],
        [
          `/elsewhere?token=${search}`,
          { headers: { accept: 'text/event-stream', origin: 'https://evil.example.com' } },
        ],
        [`/elsewhere?token=${search}`, {}],
        [`/?token=${search}`, { redirect: 'manual' }],
        [
          `/graphql?token=${search}`,
          { method: 'POST', headers: { 'content-type': 'text/plain' }, body: search },
        ],
        ['/graphql', { method: 'POST', headers, body: search }],
        [
          '/graphql',
          { method: 'POST', headers, body: JSON.stringify({ query: refresh, variables: { token: search } }) },
        ],
        // Nothing escapes from a document that is not understood either.
        [
          '/graphql',
          {
            method: 'POST',
            headers,
            body: JSON.stringify({ query: `mutation { refreshToken(token: "${search}" }` }),
          },
        ],
      ];
      for (const [path, init] of asked) {
        const response = await fetch(server.url + path, init);
        answers.push(`${JSON.stringify([...response.headers])}${await response.text()}`);
      }
      const stream = new EventStreamClient(`${url}?token=${search}`, null, listen);
      if ((await stream.response).statusCode === 200) await stream.opened;
      stream.cut();
      for (const init of [undefined, { token: search }]) {
        const socket = new SocketClient(`${url}?token=${search}`, init);
        const isIn = await Promise.race([socket.acknowledged, socket.closed.then(() => false)]);
        if (isIn)
          answers.push(
            JSON.stringify(await socket.run({ query: refresh, variables: { token: bad } }).next()),
          );
        socket.send({ type: 'nonsense', token: search });
        answers.push(JSON.stringify(await socket.closed));
      }
      const foreign = new WebSocket(`${url.replace('http', 'ws')}?token=${search}`, {
        origin: 'https://evil.example.com',
      });
      await once(foreign, 'error');
      const { hostname, port } = new URL(server.url);
      const broken = connect(Number(port), hostname);
      broken.end(`GET /graphql?token=${search} HTTP/1.1\r\nbroken header\r\n\r\n`);
      answers.push(await text(broken));
    }
    server.signal('SIGTERM');
    await server.ended;
    await database.drop();

    const [, payload, signature] = token.split('.');
    // It did say things, and by name of whom.
    await eventually(() => expect(server.errors()).toContain('draining'));
    for (const said of [server.output(), server.errors(), ...answers]) {
      expect(said).not.toContain(payload);
      expect(said).not.toContain(signature);
    }
  });
});
