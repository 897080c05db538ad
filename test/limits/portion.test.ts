import { once } from 'node:events';
import { type ClientRequest, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Holdings, largestPortion } from '../../src/limits/portion.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { unlimited } from '../support/unlimited.ts';
import { until } from '../support/until.ts';
import { answerTo, wires } from '../support/wires.ts';

const times = <Part>(count: number, part: (index: number) => Part) =>
  Array.from({ length: count }, (_, index) => part(index));
const joined = (count: number, text: (index: number) => string) => times(count, text).join(' ');

/** As large as each may be, almost. */
const body = '🙂'.repeat(9_900);
const data = 'x'.repeat(65_534);

const inGeneral = (fields: string) => `{ channel(name: "general") { ${fields} } }`;
const nodes = (fields: string) => `messages(first: 100) { edges { node { ${fields} } } }`;

describe('what is held for a user', () => {
  test('is nothing of what was read when nobody waited for it any more', async () => {
    const holdings = new Holdings();
    const open = holdings.portionOf('user ada');
    for (let count = 0; count < 20; count += 1) {
      const left = holdings.portionOf('user ada');
      const reading = left.read(async () => 'x'.repeat(largestPortion / 2));
      left.close();
      await reading;
    }

    expect(await open.read(async () => 'a row')).toBe('a row');
  });

  test('is not read any more once they have left', async () => {
    const portion = new Holdings().portionOf('user ada');
    let reads = 0;
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const readings = times(50, () =>
      portion.read(async () => {
        reads += 1;
        await gate;
      }),
    );
    const settled = Promise.allSettled(readings);
    portion.close();
    go();
    const outcomes = await settled;

    expect(reads).toBe(8);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(42);
  });

  test('is more than may be while nothing is taken, and less when it is', async () => {
    const holdings = new Holdings();
    const untaken = times(9, () => holdings.portionOf('user ada'));
    for (const portion of untaken) await portion.read(async () => 'x'.repeat(largestPortion - 2));
    const next = holdings.portionOf('user ada');

    await expect(next.read(async () => 'a row')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(await holdings.portionOf('user ben').read(async () => 'a row')).toBe('a row');
    for (const portion of untaken) portion.close();
    expect(await next.read(async () => 'a row')).toBe('a row');
  });
});

describe('an answer', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('postgres', unlimited);
    await server.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
    const { id } = (
      await server.ask(
        'ada',
        'mutation ($data: JSON) { sendMessage(input: { channel: "general", body: "first", data: $data }) { id } }',
        { data },
      )
    ).sendMessage as { id: string };
    for (let index = 1; index < 100; index += 1) {
      await server.ask(
        'ada',
        `mutation ($body: String!, $data: JSON, $id: ID) {
           sendMessage(input: { channel: "general", body: $body, data: $data, replyToId: $id }) { id }
         }`,
        { body: `${body}${'x'.repeat(index)}`, data, id },
      );
    }
  });
  afterAll(() => server.close());

  test.each(wires)('has a page of a hundred messages, each as large as is allowed, by %s', async (wire) => {
    const { data: answered, errors } = await answerTo(server, wire, { query: inGeneral(nodes('body data')) });

    expect(errors).toBeUndefined();
    const { edges } = (answered as { channel: { messages: { edges: { node: { data: string } }[] } } }).channel
      .messages;
    expect(edges).toHaveLength(100);
    expect(edges.every(({ node }) => node.data === data)).toBe(true);
  });

  const manyPages = inGeneral(joined(50, (at) => `a${at}: ${nodes('body data')}`));
  const onceAndAgain = inGeneral(nodes(joined(50, (at) => `a${at}: data`)));

  test.each([
    ['many pages', 'HTTP', manyPages],
    ['many pages', 'SSE', manyPages],
    ['many pages', 'WebSocket', manyPages],
    ['many pages of which little is asked', 'HTTP', inGeneral(joined(50, (at) => `a${at}: ${nodes('id')}`))],
    ['one page of which each part is asked many times', 'HTTP', onceAndAgain],
    ['one page of which each part is asked many times', 'WebSocket', onceAndAgain],
    ['what is replied to', 'HTTP', inGeneral(nodes(joined(50, (at) => `a${at}: replyTo { data }`)))],
  ] as const)('is not of %s, by %s', async (_what, wire, query) => {
    const answer = await answerTo(server, wire, { query });

    expect(new Set(answer.errors!.map(({ extensions }) => extensions.code))).toEqual(
      new Set(['LIMIT_EXCEEDED']),
    );
    expect(JSON.stringify(answer).length).toBeLessThan(20 * 1024 * 1024);
  });

  test('says what a mutation has done before it was too large', async () => {
    const { data: answered, errors } = await server.run(
      'ada',
      `mutation {
         leaveChannel(name: "general") { ${joined(50, (at) => `a${at}: ${nodes('id')}`)} }
         joinChannel(name: "general") { id }
       }`,
    );

    expect(errors![0]!.extensions.code).toBe('LIMIT_EXCEEDED');
    expect(answered).toMatchObject({ leaveChannel: null, joinChannel: { id: expect.any(String) } });
  });

  test('is waited for by who has taken others', async () => {
    const onePage = { query: inGeneral(nodes('body data')) };
    const isServed = async (userId: string = 'ada') => {
      const { errors } = await answerTo(server, 'HTTP', onePage, { userId });
      if (errors) expect(errors.map(({ extensions }) => extensions.code)).toEqual(['RATE_LIMITED']);
      return !errors;
    };
    await server.ask('ben', 'mutation { joinChannel(name: "general") { id } }');
    const socket = await server.socket('ada');
    socket.socket.pause();
    const idle = await Promise.all(times(5, () => untaken(server, onePage)));
    for (const _each of idle) socket.run(onePage);

    await until('a refusal', 60_000, async () => !(await isServed()));
    expect(await isServed('ben')).toBe(true);

    for (const request of idle) request.destroy();
    socket.cut();
    await until('an answer', 60_000, () => isServed());
  });
});

/** Asks, and does not read the answer, which is on its way. */
async function untaken(server: TestServer, asked: object): Promise<ClientRequest> {
  const asking = request(`${server.url}/graphql`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await server.token('ada')}` },
  });
  asking.on('error', () => {});
  asking.end(JSON.stringify(asked));
  await once(asking, 'response');
  return asking;
}
