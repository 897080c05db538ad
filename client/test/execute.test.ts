import { parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { until } from '../../test/support/until.ts';
import type { Request } from '../src/index.ts';
import { typeOf } from '../src/operation.ts';
import { listen } from './support/heard.ts';
import { site } from './support/site.ts';
import { hasStatus, isAttached } from './support/waits.ts';

const there = site();
const viewer: Request<{ viewer: { id: string } }, never> = { document: '{ viewer { id } }' };
const sending = (channel: string, body: string, clientId?: string) => ({
  document: 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { body } }',
  variables: { input: { channel, body, ...(clientId ? { clientId } : {}) } },
});

describe.each(['over HTTP', 'over the socket'])('%s', (way) => {
  const isConnected = way === 'over the socket';
  const ready = async () => {
    const client = there.client('ann');
    const channel = await there.channel('ann');
    if (isConnected) {
      listen(client, channel);
      await hasStatus(client, 'connected');
    }
    return { client, channel };
  };

  test('a query and a mutation are answered', async () => {
    const { client, channel } = await ready();
    const before = there.wire.connections;
    expect(await client.execute(viewer)).toEqual({ viewer: { id: 'ann' } });
    expect(await client.execute(sending(channel, 'hello'))).toEqual({ sendMessage: { body: 'hello' } });
    if (isConnected) expect(there.wire.connections).toBe(before);
  });

  test('a document may be parsed, and have several operations', async () => {
    const { client } = await ready();
    const document = parse('query A { viewer { id } } query B { position }');
    const answer = await client.execute({ document, operationName: 'A' } as Request<unknown, unknown>);
    expect(answer).toEqual({ viewer: { id: 'ann' } });
  });

  test('a refusal says why, with its code', async () => {
    const { client } = await ready();
    await expect(client.execute(sending('nowhere', 'hello'))).rejects.toMatchObject({
      name: 'OperationError',
      code: 'NOT_FOUND',
      errors: [{ path: ['sendMessage'] }],
    });
    await expect(client.execute({ document: '{ nothing }' })).rejects.toMatchObject({
      code: 'GRAPHQL_VALIDATION_FAILED',
    });
    await expect(client.execute({ document: '{' })).rejects.toMatchObject({ code: 'GRAPHQL_PARSE_FAILED' });
  });

  test('one that is given up is not waited for', async () => {
    const { client } = await ready();
    const giving = new AbortController();
    const answer = client.execute(viewer, { signal: giving.signal });
    giving.abort(new Error('given up'));
    await expect(answer).rejects.toThrow('given up');
    await expect(client.execute(viewer, { signal: giving.signal })).rejects.toThrow('given up');
  });

  test('a large one is answered, and costs no socket', async () => {
    const { client } = await ready();
    const { connection } = client;
    const answer = client.execute({ document: `{ position } # ${'x'.repeat(1_200_000)}` });
    await expect(answer).rejects.toMatchObject({ name: 'OperationError' });
    if (isConnected) expect(client.connection).toMatchObject({ status: connection.status });
  });
});

test('a mutation right behind a subscription is heard by it, on a connection that is made or open', async () => {
  const client = there.client('ann');
  const channel = await there.channel('ann');
  const first = listen(client, channel);
  await client.execute(sending(channel, 'at once'));
  await eventually(() => expect(first.bodies).toEqual(['at once']));
  const second = listen(client, channel);
  await client.execute(sending(channel, 'then'));
  await eventually(() => expect(second.bodies).toEqual(['then']));
  expect(first.bodies).toEqual(['at once', 'then']);
});

test('when the socket is lost a query is asked again, and a mutation fails: it may have been done', async () => {
  const client = there.client('ann');
  const channel = await there.channel('ann');
  listen(client, channel);
  await isAttached(there, 1);
  there.wire.swallows = true;
  const query = client.execute(viewer);
  const mutation = client.execute(sending(channel, 'lost'));
  const settled = Promise.allSettled([query, mutation]);
  there.wire.swallows = false;
  there.wire.cutSockets();
  expect(await settled).toMatchObject([
    { status: 'fulfilled', value: { viewer: { id: 'ann' } } },
    { status: 'rejected', reason: { code: 'NETWORK_ERROR' } },
  ]);
});

test('without a server there is an error of the network', async () => {
  there.wire.isDown = true;
  there.wire.cut();
  await expect(there.client('ann').execute(viewer)).rejects.toMatchObject({ code: 'NETWORK_ERROR' });
});

test('a token that has been refused is asked for anew', async () => {
  const tokens = ['too old', await there.server.token('ann')];
  const client = there.client('ann', { token: () => tokens.shift() ?? null });
  expect(await client.execute(viewer)).toEqual({ viewer: { id: 'ann' } });
});

test('what is queued while the wire is down is done when it is up, in order and once', async () => {
  const client = there.client('ann');
  const channel = await there.channel('ann');
  const heard = listen(client, channel);
  await isAttached(there, 1);
  there.wire.isDown = true;
  there.wire.cut();
  const bodies = ['1', '2', '3'];
  const sent = bodies.map((body) => client.enqueue(sending(channel, body, `${channel} ${body}`)));
  await until('it has tried', 30_000, () => client.connection.status === 'waiting');
  there.wire.isDown = false;
  expect(await Promise.all(sent)).toEqual(bodies.map((body) => ({ sendMessage: { body } })));
  await eventually(() => expect(heard.bodies).toEqual(bodies));
});

test('one whose answer was lost is sent again, and done once', async () => {
  const client = there.client('ann');
  const channel = await there.channel('ann');
  const heard = listen(client, channel);
  await isAttached(there, 1);
  there.wire.swallowsAnswers = true;
  const sent = client.enqueue(sending(channel, 'once', `${channel} once`));
  await eventually(async () => {
    const { channel: found } = await there.server.ask(
      'ann',
      `{ channel(name: "${channel}") { messages { edges { node { body } } } } }`,
    );
    expect(found.messages.edges).toHaveLength(1);
  });
  there.wire.swallowsAnswers = false;
  there.wire.cut();
  expect(await sent).toEqual({ sendMessage: { body: 'once' } });
  await eventually(() => expect(heard.bodies).toEqual(['once']));
  await client.enqueue(sending(channel, 'then', `${channel} then`));
  await eventually(() => expect(heard.bodies).toEqual(['once', 'then']));
});

test('a queued one that is refused is told so, and does not hold up the next', async () => {
  const client = there.client('ann');
  const channel = await there.channel('ann');
  const [refused, done] = await Promise.allSettled([
    client.enqueue(sending('nowhere', 'x', 'a')),
    client.enqueue(sending(channel, 'x', 'b')),
  ]);
  expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'NOT_FOUND' } });
  expect(done).toMatchObject({ status: 'fulfilled' });
  await expect(client.enqueue(sending(channel, 'x'))).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
});

test('one that something on the way does not let through holds nobody up either', async () => {
  const channel = await there.channel('ann');
  // As a proxy answers to what is too long for it.
  const viaProxy: typeof fetch = async (input, init) =>
    String(init?.body).includes('too long')
      ? new Response('<h1>413</h1>', { status: 413 })
      : fetch(input, init);
  const client = there.client('ann', { fetch: viaProxy });
  const [blocked, done] = await Promise.allSettled([
    client.enqueue(sending(channel, 'too long', 'a')),
    client.enqueue(sending(channel, 'short', 'b')),
  ]);
  expect(blocked).toMatchObject({ status: 'rejected', reason: { code: 'BLOCKED' } });
  expect(done).toMatchObject({ status: 'fulfilled' });
});

test('a mutation that is given up in the middle of its answer says so', async () => {
  const channel = await there.channel('ann');
  const giving = new AbortController();
  const stalling: typeof fetch = async (input, init) => {
    await fetch(input, init);
    const body = new ReadableStream({
      start: (answer) => init?.signal?.addEventListener('abort', () => answer.error(init.signal!.reason)),
      pull: () => giving.abort(new Error('given up')),
    });
    return new Response(body);
  };
  const client = there.client('ann', { fetch: stalling });
  const answer = client.execute(sending(channel, 'hello'), { signal: giving.signal });
  await expect(answer).rejects.toThrow('given up');
});

test.each([
  ['{ a }', undefined, 'query'],
  ['mutation { a }', undefined, 'mutation'],
  ['# mutation\nquery A { a } mutation B { subscription }', 'B', 'mutation'],
  [
    'fragment mutation on A { subscription } subscription S($a: String = "query {") { a }',
    'S',
    'subscription',
  ],
  ['fragment F on Query { a(text: """ mutation { """) } query { ...F }', undefined, 'query'],
])('%s is known for what it is', (query, operationName, type) => {
  expect(typeOf({ query, ...(operationName ? { operationName } : {}) })).toBe(type);
});
