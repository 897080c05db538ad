import { OperationTypeNode, parse, print } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtInSubject, examplesFor } from '../../src/transports/examples.ts';
import { type TestServer, testServer } from '../support/server.ts';

const userId = 'demo';

describe.each([
  ['of a demo', { channel: 'welcome', model: 'Task', userId }, { DEMO: '1' }],
  ['of a server without one', { ...builtInSubject, userId }, {}],
])('the examples of GraphiQL, %s', (_title, subject, environment: Record<string, string>) => {
  let server: TestServer;
  const operations = examplesFor(subject).flatMap((query) =>
    parse(query).definitions.flatMap((definition) =>
      definition.kind === 'OperationDefinition'
        ? [
            {
              name: definition.name!.value,
              isSubscription: definition.operation === OperationTypeNode.SUBSCRIPTION,
              request: { query: print(definition) },
            },
          ]
        : [],
    ),
  );

  beforeAll(async () => {
    server = await testServer('embedded', environment);
    const create = 'mutation { createChannel(input: { name: "general" }) { id } }';
    if (!environment.DEMO) await server.ask(userId, create);
  });
  afterAll(() => server.close());

  test('all run as they are', async () => {
    const socket = await server.socket(userId, ['admin']);
    for (const { name, isSubscription, request } of operations) {
      // It ends the connection that asks: see below.
      if (name === 'Disconnect') continue;
      const stream = socket.run(request);
      if (isSubscription) {
        // What follows on the same socket waits until it has been accepted or refused.
        await socket.run({ query: '{ viewer { id } }' }).next();
        expect([name, stream.waiting]).toEqual([name, []]);
        stream.leave();
      } else {
        const { data, errors } = await stream.next();
        expect([name, errors]).toEqual([name, undefined]);
        expect(data).toBeTruthy();
      }
    }
    const { request } = operations.find(({ name }) => name === 'Disconnect')!;
    const { data } = await server.run(userId, request.query, {}, ['admin']);
    expect(data).toEqual({ disconnect: 1 });
    expect(await socket.closed).toMatchObject({ code: 4403, reason: 'From GraphiQL' });
  });
});
