import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SocketClient } from '../support/websocket.ts';
import { codesOf, type Site, startSite, tally, times, Visitor } from './site.ts';

const ask = { query: '{ __typename }' };
const listen = { query: 'subscription { notificationReceived { id } }' };
const create = (name: string) => ({ query: `mutation { createChannel(input: { name: "${name}" }) { id } }` });
const send = (channel: string, body: string, clientId?: string) => ({
  query: `mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { id } }`,
  variables: { input: { channel, body, clientId } },
});

/** How an upgrade that is refused is answered. */
async function refusalOf({ socket }: SocketClient) {
  return new Promise<{ status: number; retryAfter: number; body: any } | 'open'>((resolve) => {
    socket.once('open', () => resolve('open'));
    socket.once('unexpected-response', async (_request, response) => {
      let body = '';
      for await (const part of response) body += part;
      const { statusCode, headers } = response;
      resolve({ status: statusCode!, retryAfter: Number(headers['retry-after']), body: JSON.parse(body) });
    });
  });
}

/** The code of each of so many operations over one socket, which are asked at once. */
async function overSocket(socket: SocketClient, count: number): Promise<string[]> {
  const streams = Array.from({ length: count }, () => socket.run(ask));
  const frames = await Promise.all(streams.map((stream) => stream.frame()));
  return frames.map((frame) => (frame?.type === 'error' ? frame.payload[0]!.extensions.code : 'ok'));
}

describe.each(['one node', 'two nodes with Redis'] as const)('on %s', (kind) => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite(kind, {
      CONNECTION_RATE_PER_IP: '5/1m',
      OPERATION_RATE_PER_USER: '10/1m',
      MESSAGE_RATE_PER_USER: '6/1m',
    });
  });
  afterAll(() => site.close());

  const refusals = async () => {
    const line = 'realtime_refusals_total{code="RATE_LIMITED"}';
    const counts = await Promise.all(site.nodes.map((node) => node.metric(line)));
    return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  };

  /** A channel of somebody whose operations are not counted. */
  async function channel(name: string): Promise<Visitor> {
    const owner = new Visitor(site, { roles: ['service'] });
    await owner.post(create(name));
    return owner;
  }

  test('a connect flood from one IP is refused before the handshake, and others connect', async () => {
    const [mallory, ada] = [new Visitor(site), new Visitor(site)];
    const before = await refusals();
    const sockets = await times(8, () => mallory.socket());
    const answers = await Promise.all(sockets.map(refusalOf));

    expect(answers.filter((answer) => answer === 'open').length).toBe(5);
    for (const answer of answers.filter((each) => each !== 'open')) {
      const { code, retryAfterMs } = answer.body.errors[0].extensions;
      expect([answer.status, code]).toEqual([429, 'RATE_LIMITED']);
      expect(answer.retryAfter).toBe(Math.ceil(retryAfterMs / 1_000));
    }
    const { statusCode, headers } = await (await mallory.stream(listen)).response;
    expect([statusCode, Number(headers['retry-after'])]).toEqual([429, expect.any(Number)]);
    expect((await refusals()) - before).toBe(4);
    expect((await mallory.post(ask)).status).toBe(200);
    expect(await refusalOf(await ada.socket())).toBe('open');
    for (const socket of sockets) socket.cut();
  });

  test('a connect flood of event streams is refused with 429', async () => {
    const mallory = new Visitor(site);
    const streams = await times(8, () => mallory.stream(listen));
    const responses = await Promise.all(streams.map((stream) => stream.response));
    expect(tally(responses.map(({ statusCode }) => String(statusCode)))).toEqual({ 200: 5, 429: 3 });
    for (const stream of streams) stream.cut();
  });

  test('an operation flood over HTTP is refused with 429', async () => {
    const answers = await times(14, () => new Visitor(site, {}).post(ask));
    expect(tally(codesOf(answers))).toEqual({ ok: 14 });
    const mallory = new Visitor(site);
    const flood = await times(14, () => mallory.post(ask));
    expect(tally(codesOf(flood))).toEqual({ ok: 10, RATE_LIMITED: 4 });
    const { status, headers, errors } = flood.at(-1)!;
    const { retryAfterMs } = errors![0]!.extensions;
    expect(status).toBe(429);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
    expect(Number(headers.get('retry-after'))).toBe(Math.ceil(retryAfterMs! / 1_000));
  });

  test('an operation flood over event streams is refused with 429', async () => {
    const mallory = new Visitor(site);
    const flood = await times(14, () => mallory.post(ask, 'text/event-stream'));
    expect(tally(codesOf(flood))).toEqual({ ok: 10, RATE_LIMITED: 4 });
    expect(flood.at(-1)!.status).toBe(429);
  });

  test('an operation flood over WebSocket is refused one by one, and the socket lives', async () => {
    const mallory = new Visitor(site);
    const socket = await mallory.socket();
    await socket.acknowledged;
    expect(tally(await overSocket(socket, 14))).toEqual({ ok: 10, RATE_LIMITED: 4 });
    // What is done over one wire counts on the others.
    expect(codesOf([await mallory.post(ask)])).toEqual(['RATE_LIMITED']);
    await socket.close();
  });

  test('an operation flood over REST is refused with 429', async () => {
    const mallory = new Visitor(site);
    const flood = await times(14, () => mallory.get('/notifications'));
    expect(tally(flood.map(({ status }) => String(status)))).toEqual({ 200: 10, 429: 4 });
    const { headers, body } = flood.at(-1)!;
    expect(body).toMatchObject({ success: false, error: { code: 'RATE_LIMITED' } });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('a connect flood of plain event streams is refused with 429', async () => {
    const mallory = new Visitor(site);
    const flood = await times(8, () => mallory.get('/realtime/events'));
    expect(tally(flood.map(({ status }) => String(status)))).toEqual({ 200: 5, 429: 3 });
  });

  test('an operation flood of all wires at once is refused as one', async () => {
    const mallory = new Visitor(site);
    const socket = await mallory.socket();
    await socket.acknowledged;
    const codes = await Promise.all([
      overSocket(socket, 8),
      Promise.all(Array.from({ length: 8 }, () => mallory.post(ask))).then(codesOf),
      Promise.all(Array.from({ length: 8 }, () => mallory.post(ask, 'text/event-stream'))).then(codesOf),
    ]);
    expect(tally(codes.flat())).toEqual({ ok: 10, RATE_LIMITED: 14 });
    await socket.close();
  });

  test('an operation flood of nobody counts to the address', async () => {
    const mallory = new Visitor(site, { isAnonymous: true });
    const flood = await times(14, () => mallory.post(ask));
    expect(tally(codesOf(flood))).toEqual({ ok: 10, RATE_LIMITED: 4 });
    expect(codesOf([await new Visitor(site, { isAnonymous: true }).post(ask)])).toEqual(['ok']);
  });

  test('an operation flood of documents that are none is refused as well', async () => {
    const mallory = new Visitor(site);
    const flood = await times(14, () => mallory.post({ query: '{' }));
    expect(tally(codesOf(flood))).toEqual({ GRAPHQL_PARSE_FAILED: 10, RATE_LIMITED: 4 });
  });

  test('operations of role service are not counted, and subscribing is none', async () => {
    const service = new Visitor(site, { roles: ['service'] });
    expect(tally(codesOf(await times(14, () => service.post(ask))))).toEqual({ ok: 14 });
    const ada = new Visitor(site);
    const socket = await ada.socket();
    await socket.acknowledged;
    for (let index = 0; index < 14; index += 1) socket.run(listen);
    expect(tally(await overSocket(socket, 10))).toEqual({ ok: 10 });
    await socket.close();
  });

  test('messages past the rate of a channel are refused, and those of another channel sent', async () => {
    const owner = await channel('rate');
    await owner.post(create('other'));
    const codes = codesOf(await times(9, (index) => owner.post(send('rate', `message ${index}`))));
    expect(tally(codes)).toEqual({ ok: 6, RATE_LIMITED: 3 });
    expect(codesOf([await owner.post(send('other', 'here'))])).toEqual(['ok']);
  });

  test('a message that is sent again is answered as the first, and neither charged nor refused', async () => {
    const owner = await channel('again');
    const first = await owner.post(send('again', 'once', 'mine'));
    const again = await times(9, () => owner.post(send('again', 'once', 'mine')));
    for (const answer of again) expect(answer.data).toEqual(first.data);
    const codes = codesOf(await times(6, (index) => owner.post(send('again', `message ${index}`))));
    expect(codes).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'RATE_LIMITED']);
    expect((await owner.post(send('again', 'once', 'mine'))).data).toEqual(first.data);
  });

  test('a message that could not be sent is not charged', async () => {
    const [owner, stranger] = [await channel('closed'), new Visitor(site, { roles: ['service'] })];
    const elsewhere = await times(9, (index) => stranger.post(send('nowhere', `message ${index}`)));
    expect(tally(codesOf(elsewhere))).toEqual({ NOT_FOUND: 9 });
    expect(codesOf([await owner.post(send('closed', 'here'))])).toEqual(['ok']);
  });

  test('the same body for the fifth time is spam, of whatever clientId', async () => {
    const owner = await channel('spam');
    const flood = await times(6, (index) => owner.post(send('spam', 'buy', `copy ${index}`)));
    expect(codesOf(flood)).toEqual(['ok', 'ok', 'ok', 'ok', 'RATE_LIMITED', 'RATE_LIMITED']);
    expect(flood.at(-1)!.errors![0]!.extensions.retryAfterMs).toBeLessThanOrEqual(10_000);
    expect(codesOf([await owner.post(send('spam', 'something else'))])).toEqual(['ok']);
  });
});

test('a Redis that is killed in a flood takes nothing away from who asks, and lets each node count alone', async () => {
  const site = await startSite('two nodes with Redis', {
    OPERATION_RATE_PER_USER: '10/1m',
    MESSAGE_RATE_PER_USER: '3/1m',
    LOG_LEVEL: 'silent',
  });
  const owner = new Visitor(site, { roles: ['service'] });
  await owner.post(create('general'));
  await site.redis!.kill();
  const mallory = new Visitor(site);
  expect(tally(codesOf(await times(30, () => mallory.post(ask))))).toEqual({ ok: 20, RATE_LIMITED: 10 });
  const sent = await times(9, (index) => owner.post(send('general', `message ${index}`)));
  expect(tally(codesOf(sent))).toEqual({ ok: 6, RATE_LIMITED: 3 });
  await site.close();
});
