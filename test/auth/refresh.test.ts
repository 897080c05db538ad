import { createHmac } from 'node:crypto';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import type { Role } from '../../src/domain/viewer.ts';
import { secret, type TestServer, testServer } from '../support/server.ts';
import { EventStreamClient } from '../support/sse.ts';
import { SocketClient } from '../support/websocket.ts';

const refresh = 'mutation Refresh($token: String!) { refreshToken(token: $token) }';
const stats = '{ stats { nodes } }';

let server: TestServer;
let graphql: string;
beforeAll(async () => {
  server = await testServer('postgres');
  graphql = `${server.url}/graphql`;
});
afterAll(() => server.close());

async function signIn(token: string): Promise<SocketClient> {
  const socket = new SocketClient(graphql, { token });
  await socket.acknowledged;
  return socket;
}

/** Of a second's precision, as the claim is. */
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;

/** Signed by hand, so that it expires exactly then. */
function tokenUntil(exp: number, sub = 'ada', roles: readonly Role[] = []): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const said = `${part({ alg: 'HS256' })}.${part({ sub, exp, roles })}`;
  return `${said}.${createHmac('sha256', secret).update(said).digest('base64url')}`;
}

const refreshed = async (socket: SocketClient, token: string) =>
  socket.run({ query: refresh, variables: { token } }).next();

const codeOf = ({ errors }: { errors?: { extensions: { code: string } }[] }) => errors?.[0]?.extensions.code;

describe('refreshToken', () => {
  test('has the connection stay until the new token expires', async () => {
    const [soon, later] = [inSeconds(2), inSeconds(3)];
    const socket = await signIn(tokenUntil(soon));

    expect((await refreshed(socket, tokenUntil(later))).data).toEqual({
      refreshToken: new Date(later * 1_000).toISOString(),
    });
    expect(await socket.closed).toEqual({ code: 4403, reason: 'token expired' });
    expect(Date.now()).toBeGreaterThanOrEqual(later * 1_000);
  });

  test.each([
    ['thirty years ahead', inSeconds(30 * 365 * 86_400), /^20\d\d-/],
    ['beyond what a date can tell', 1e300, /^9999-12-31T/],
  ])('takes a token that expires %s, and answers when', async (_title, exp, expected) => {
    const socket = await signIn(tokenUntil(inSeconds(60)));
    // Written out, since such a number is no JSON integer.
    expect((await refreshed(socket, tokenUntil(exp))).data.refreshToken).toMatch(expected);
    expect((await socket.run({ query: '{ viewer { id } }' }).next()).data.viewer.id).toBe('ada');
    await socket.close();
  });

  test('gives what follows the roles of the new token, and takes them away again', async () => {
    const socket = await signIn(await server.token('ada'));
    expect(codeOf(await socket.run({ query: stats }).next())).toBe('FORBIDDEN');

    await refreshed(socket, await server.token('ada', ['admin']));
    expect((await socket.run({ query: stats }).next()).data.stats.nodes).toBe(1);

    await refreshed(socket, await server.token('ada'));
    expect(codeOf(await socket.run({ query: stats }).next())).toBe('FORBIDDEN');
    await socket.close();
  });

  test.each([
    ['is of another user', () => server.token('bob', ['admin']), 'FORBIDDEN'],
    ['has expired', async () => tokenUntil(1_000), 'UNAUTHENTICATED'],
    ['is none', async () => 'token', 'UNAUTHENTICATED'],
    ['was changed', async () => `${tokenUntil(inSeconds(60))}x`, 'UNAUTHENTICATED'],
  ])('refuses a token that %s, and the connection goes on with its own', async (_title, token, code) => {
    const socket = await signIn(await server.token('ada'));
    const answer = await refreshed(socket, await token());

    expect([answer.data, codeOf(answer)]).toEqual([null, code]);
    expect((await socket.run({ query: '{ viewer { id roles } }' }).next()).data.viewer).toEqual({
      id: 'ada',
      roles: [],
    });
    await socket.close();
  });

  test('holds to the token that was sent last, of two sent at once', async () => {
    const socket = await signIn(await server.token('ada'));
    const admin = await server.token('ada', ['admin']);
    // The first is met for the first time, and takes longer.
    const [one, other] = [
      refreshed(socket, tokenUntil(inSeconds(99), 'ada', ['service'])),
      refreshed(socket, admin),
    ];
    await Promise.all([one, other]);

    expect((await socket.run({ query: '{ viewer { roles } }' }).next()).data.viewer.roles).toEqual(['admin']);
    await socket.close();
  });

  test('is BAD_USER_INPUT where there is no connection that keeps a token', async () => {
    const token = await server.token('ada');
    expect(codeOf(await server.run('ada', refresh, { token }))).toBe('BAD_USER_INPUT');

    const stream = new EventStreamClient(graphql, token, { query: refresh, variables: { token } });
    expect(codeOf(await stream.stream.next())).toBe('BAD_USER_INPUT');
    expect(await stream.ended).toBe('complete');
  });

  test('is UNAUTHENTICATED for who is not signed in', async () => {
    const response = await fetch(graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: refresh, variables: { token: await server.token('ada') } }),
    });
    expect(codeOf(await response.json())).toBe('UNAUTHENTICATED');
  });

  test('goes over the socket that is open, by the stock client', async () => {
    let opened = 0;
    const client = createClient({
      url: graphql.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: async () => ({ token: await server.token('ada') }),
      on: { opened: () => (opened += 1) },
    });
    const listening = client.iterate({ query: 'subscription { notificationReceived { id } }' });
    const first = listening.next();
    const variables = { token: await server.token('ada', [], 7_200_000) };
    const answers: unknown[] = [];
    for await (const { data } of client.iterate({ query: refresh, variables })) answers.push(data);

    expect(answers).toEqual([{ refreshToken: expect.stringMatching(/Z$/) }]);
    expect(opened).toBe(1);
    await Promise.all([listening.return?.(), first, client.dispose()]);
  });

  test('does not save a user who is blocked', async () => {
    const socket = await signIn(await server.token('carl'));
    await server.ask('root', 'mutation { blockUser(id: "carl") { id } }', {}, ['admin']);
    socket.run({ query: refresh, variables: { token: await server.token('carl', [], 1_000_000) } });
    expect((await socket.closed).code).toBe(4403);
  });
});

describe('a subscription, when its connection is given another token', () => {
  const listen = 'subscription Listen($channel: String!) { channelMessage(channel: $channel) { body } }';
  const create = 'mutation Create($input: CreateChannelInput!) { createChannel(input: $input) { id } }';
  const send = (channel: string, body: string) =>
    server.ask('owner', 'mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { id } }', {
      input: { channel, body },
    });
  const bodyOf = ({ data }: { data?: any }) => data.channelMessage.body;

  beforeAll(async () => {
    await server.ask('owner', create, { input: { name: 'secret', kind: 'PRIVATE' } });
    await server
      .token('ada')
      .then(signIn)
      .then((socket) => socket.close());
    await server.ask('owner', create, { input: { name: 'shared', kind: 'PRIVATE', memberIds: ['ada'] } });
  });

  test('goes on where no role is lost', async () => {
    const socket = await signIn(await server.token('ada', ['service']));
    const stream = socket.run({ query: listen, variables: { channel: 'secret' } });
    await refreshed(socket, await server.token('ada', ['service', 'admin']));
    await send('secret', 'still heard');

    expect(bodyOf(await stream.next())).toBe('still heard');
    await socket.close();
  });

  test('ends with FORBIDDEN where a lost role was the right to it', async () => {
    const socket = await signIn(await server.token('ada', ['admin']));
    const stream = socket.run({ query: listen, variables: { channel: 'secret' } });
    // The answer says that what was asked for before it is attached.
    await socket.run({ query: '{ viewer { id } }' }).next();
    await send('secret', 'before');
    expect(bodyOf(await stream.next())).toBe('before');

    await refreshed(socket, await server.token('ada'));
    // Answered: from here on nothing that only the role allowed is delivered.
    await send('secret', 'after');

    expect(await stream.frame()).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'FORBIDDEN' } }],
    });
    expect((await socket.run({ query: '{ viewer { id } }' }).next()).data.viewer.id).toBe('ada');
    expect(stream.waiting).toEqual([]);
    await socket.close();
  });

  test('ends with FORBIDDEN too where it was still being opened', async () => {
    const admin = await server.token('ada', ['admin']);
    const plain = await server.token('ada');
    const socket = await signIn(admin);
    const refreshing = refreshed(socket, plain);
    const stream = socket.run({ query: listen, variables: { channel: 'secret' } });
    await refreshing;
    await send('secret', 'after');

    const frame = await stream.frame();
    // Refused where it came to be opened as who is no admin any more, ended where it had been opened before.
    const errors =
      frame?.type === 'next' ? frame.payload.errors : frame?.type === 'error' ? frame.payload : [];
    expect(['FORBIDDEN', 'NOT_FOUND']).toContain(errors?.[0]?.extensions.code);
    await socket.close();
  });

  test('goes on with nothing lost and nothing twice where the viewer has another right to it', async () => {
    const [admin, plain] = [await server.token('ada', ['admin']), await server.token('ada')];
    const socket = await signIn(admin);
    const stream = socket.run({ query: listen, variables: { channel: 'shared' } });
    const bodies: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      const sent = Array.from({ length: 6 }, (_, index) => `${round}.${index}`);
      const sending = (async () => {
        for (const body of sent) await send('shared', body);
      })();
      await refreshed(socket, round % 2 === 0 ? plain : admin);
      await sending;
      bodies.push(...sent);
    }

    expect((await stream.take(bodies.length)).map(bodyOf)).toEqual(bodies);
    await socket.close();
  });

  test('is the same where roles are lost one after the other, at once', async () => {
    const roles: Role[][] = [['admin', 'service'], ['service'], []];
    const [all, fewer, none] = await Promise.all(roles.map((each) => server.token('ada', each)));
    const socket = await signIn(all!);
    const shared = socket.run({ query: listen, variables: { channel: 'shared' } });
    const secret = socket.run({ query: listen, variables: { channel: 'secret' } });
    await socket.run({ query: '{ viewer { id } }' }).next();
    await send('shared', 'first');
    const refreshing = [refreshed(socket, fewer!), refreshed(socket, none!)];
    await send('shared', 'meanwhile');
    await Promise.all(refreshing);
    await send('secret', 'after');
    await send('shared', 'last');

    expect((await shared.take(3)).map(bodyOf)).toEqual(['first', 'meanwhile', 'last']);
    expect(shared.waiting).toEqual([]);
    expect(await secret.frame()).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'FORBIDDEN' } }],
    });
    await socket.close();
  });

  test('ends its rights with its membership, once the role has gone', async () => {
    const socket = await signIn(await server.token('ada', ['admin']));
    const stream = socket.run({ query: listen, variables: { channel: 'shared' } });
    await refreshed(socket, await server.token('ada'));
    await server.ask('owner', 'mutation { removeChannelMember(channel: "shared", userId: "ada") { id } }');

    expect(await stream.frame()).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'FORBIDDEN' } }],
    });
    await socket.close();
  });
});
