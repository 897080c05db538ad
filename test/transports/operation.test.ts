import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type TestServer, testServer } from '../support/server.ts';
import type { OperationRequest, Stream } from '../support/websocket.ts';

const create = 'mutation Create($name: String!) { createChannel(input: { name: $name }) { id } }';
const send =
  'mutation Send($channel: String!, $body: String!) { sendMessage(input: { channel: $channel, body: $body }) { id } }';
const page = 'messages(first: 1, after: $cursor) { edges { node { body } cursor } }';

describe('two subscriptions in the same words', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('embedded');
    await server.ask('ada', create, { name: 'general' });
    await server.ask('ada', create, { name: 'elsewhere' });
    for (const body of ['first', 'second']) await server.ask('ada', send, { channel: 'general', body });
  });
  afterAll(() => server.close());

  async function follow(...requests: OperationRequest[]): Promise<Stream[]> {
    const socket = await server.socket('ada');
    onTestFinished(() => socket.close());
    const streams = requests.map((request) => socket.run(request));
    await socket.run({ query: '{ viewer { id } }' }).next();
    return streams;
  }

  let said = 0;

  /** What each of them is shown of one message. */
  async function hear(streams: Stream[]): Promise<unknown[]> {
    said += 1;
    await server.ask('ada', send, { channel: 'general', body: `hello ${said}` });
    return Promise.all(streams.map(async (stream) => (await stream.next()).data.channelMessage));
  }

  /** Two places in the journal with nothing of the channel behind either of them. */
  async function twoPositions() {
    const query = 'subscription { channelMessage(channel: "elsewhere") { body } }';
    const [stream] = await follow({ query });
    for (const body of ['one', 'other']) await server.ask('ada', send, { channel: 'elsewhere', body });
    const [one, other] = await stream!.take(2);
    stream!.leave();
    return [one!.extensions!.position, other!.extensions!.position] as const;
  }

  test('are shown the pages that each asks for, which begin `after` something as well', async () => {
    const query = `subscription ($cursor: String) { channelMessage(channel: "general") { channel { ${page} } } }`;
    const pageBehind = (cursor: string | null) =>
      server.ask('ada', `query ($cursor: String) { channel(name: "general") { ${page} } }`, { cursor });
    const one = await pageBehind(null);
    const { cursor } = one.channel.messages.edges[0];
    const other = await pageBehind(cursor);
    expect(other).not.toEqual(one);

    const streams = await follow({ query, variables: { cursor: null } }, { query, variables: { cursor } });
    expect(await hear(streams)).toEqual([one, other]);
  });

  test('are shown what each asks for in a fragment, by a variable of whatever name', async () => {
    const part = 'fragment Part on Message { body @include(if: $after) sender @skip(if: $after) { id } }';
    const query = `subscription ($after: Boolean!) { channelMessage(channel: "general") { ...Part } } ${part}`;

    const streams = await follow(
      { query, variables: { after: true } },
      { query, variables: { after: false } },
    );
    expect(await hear(streams)).toEqual([
      { body: expect.stringMatching('hello') },
      { sender: { id: 'ada' } },
    ]);
  });

  const field = (after: string, selection: string) =>
    `channelMessage(channel: "general", after: ${after}) { ${selection} }`;
  const byVariable = (query: string) => (from: string) => ({ query, variables: { from } });
  const part = 'fragment Part on Message { body }';
  const whole = `fragment Whole on Subscription { ${field('$from', 'body')} }`;

  test.each([
    ['by a variable', byVariable(`subscription ($from: Position) { ${field('$from', 'body')} }`)],
    [
      'by a variable and with a fragment',
      byVariable(`subscription ($from: Position) { ${field('$from', '...Part')} } ${part}`),
    ],
    ['by a variable in a fragment', byVariable(`subscription ($from: Position) { ...Whole } ${whole}`)],
    ['in the text', (from: string) => ({ query: `subscription { ${field(`"${from}"`, 'body')} }` })],
  ])('are one group where they differ only in where they continue, told %s', async (_, requestFrom) => {
    const [one, other] = await twoPositions();
    const streams = await follow(requestFrom(one), requestFrom(other));
    await eventually(async () => expect(await server.metric('realtime_groups')).toBe(1));
    expect(await hear(streams)).toEqual([
      { body: expect.stringMatching('hello') },
      { body: expect.stringMatching('hello') },
    ]);
  });
});
