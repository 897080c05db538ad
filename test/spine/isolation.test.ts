import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';

const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body }) { id } }';

describe('an operation of a socket', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('embedded');
    await server.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
    await server.ask('eve', 'mutation { createChannel(input: { name: "hers", kind: PRIVATE }) { id } }');
  });
  afterAll(() => server.close());

  test.each([
    ['a syntax error', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
    ['a validation error', '{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['an unknown operation', 'query A { position } query B { position }', 'BAD_USER_INPUT'],
  ])('with %s gets an error frame and leaves the others alone', async (_name, query, code) => {
    const socket = await server.socket('ada');
    const healthy = socket.run({ query: 'subscription { channelMessage(channel: "general") { body } }' });

    const refused = await socket.run({ query }).frame();
    expect(refused).toMatchObject({ type: 'error', payload: [{ extensions: { code } }] });
    await server.ask('ada', send, { body: code });
    expect((await healthy.next()).data.channelMessage.body).toBe(code);
    await socket.close();
  });

  test('with a foreign channel gets a payload with the error, its completion, and leaves the others alone', async () => {
    const socket = await server.socket('ada');
    const healthy = socket.run({ query: 'subscription { channelMessage(channel: "general") { body } }' });
    const foreign = socket.run({ query: 'subscription { channelMessage(channel: "hers") { body } }' });

    const { data, errors } = await foreign.next();
    expect({ data, code: errors?.[0]?.extensions.code }).toEqual({ data: undefined, code: 'NOT_FOUND' });
    expect(await foreign.frame()).toMatchObject({ type: 'complete' });
    await server.ask('ada', send, { body: 'still here' });
    expect((await healthy.next()).data.channelMessage.body).toBe('still here');
    await socket.close();
  });

  test('past the most that may run at once is refused with LIMIT_EXCEEDED', async () => {
    const socket = await server.socket('ada');
    const streams = Array.from({ length: 101 }, () =>
      socket.run({ query: 'subscription { channelMessage(channel: "general") { body } }' }),
    );

    const refused = await streams[100]!.frame();
    expect(refused).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'LIMIT_EXCEEDED' } }] });
    await socket.close();
  });
});
