import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';
import { type Asked, answerTo, wires } from '../support/wires.ts';

/** Close enough to a name of the schema for a suggestion. */
const mistakes: readonly [string, Asked][] = [
  ['a field', { query: '{ viewr { id } }' }],
  ['an argument', { query: '{ user(idd: "a") { id } }' }],
  ['a type', { query: '{ viewer { ...F } } fragment F on Viewr { id }' }],
  ['the type of a variable', { query: 'query ($a: Strin) { user(id: $a) { id } }' }],
  ['a directive', { query: '{ viewer @includ(if: true) { id } }' }],
  ['an enum value', { query: 'mutation { createChannel(input: { name: "a", kind: PUBLI }) { id } }' }],
  ['an input field', { query: 'mutation { createChannel(input: { name: "a", kinds: PUBLIC }) { id } }' }],
  [
    'an enum value in a variable',
    {
      query: 'mutation ($input: CreateChannelInput!) { createChannel(input: $input) { id } }',
      variables: { input: { name: 'a', kind: 'PUBLI' } },
    },
  ],
  [
    'an input field in a variable',
    {
      query: 'mutation ($input: CreateChannelInput!) { createChannel(input: $input) { id } }',
      variables: { input: { name: 'a', kinds: 'PUBLIC' } },
    },
  ],
  [
    'an enum value in a variable of a subscription',
    {
      query: 'subscription ($a: [ModelAction!]) { modelUpdated(model: "User", actions: $a) { recordId } }',
      variables: { a: ['CREATE'] },
    },
  ],
];

const questions: readonly [string, string][] = [
  ['__schema', '{ __schema { queryType { name } } }'],
  ['__type', '{ __type(name: "User") { name } }'],
  ['__schema behind an alias', '{ viewer: __schema { queryType { name } } }'],
  ['__schema in a fragment', '{ ...F } fragment F on Query { __schema { queryType { name } } }'],
  ['__type in an inline fragment', '{ ... on Query { ... { __type(name: "User") { name } } } }'],
];

describe('in production', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('postgres', { NODE_ENV: 'production' });
  });
  afterAll(() => server.close());

  describe.each(wires)('over %s', (wire) => {
    // Plain HTTP has no subscriptions.
    const possible = mistakes.filter(
      ([, { query }]) => wire !== 'HTTP' || !query!.startsWith('subscription'),
    );
    test.each(possible)('nothing is suggested for %s', async (_what, asked) => {
      const { errors } = await answerTo(server, wire, asked);
      expect(errors!.length).toBeGreaterThan(0);
      for (const { message, extensions } of errors!) {
        expect(message).not.toContain('Did you mean');
        expect(['GRAPHQL_VALIDATION_FAILED', 'BAD_USER_INPUT']).toContain(extensions.code);
      }
    });

    test.each(questions)('%s is for role admin alone', async (_what, query) => {
      const { data, errors } = await answerTo(server, wire, { query });
      expect(data).toBeUndefined();
      expect(errors![0]!.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
      const admin = { userId: 'root', roles: ['admin'] } as const;
      expect((await answerTo(server, wire, { query }, admin)).errors).toBeUndefined();
    });

    test('everyone may ask for a `__typename`', async () => {
      const { data } = await answerTo(server, wire, { query: '{ __typename viewer { __typename } }' });
      expect(data).toEqual({ __typename: 'Query', viewer: { __typename: 'Viewer' } });
    });
  });
});

describe('in development', () => {
  test('names are suggested', async () => {
    const server = await testServer('postgres');
    const { errors } = await answerTo(server, 'HTTP', mistakes[0]![1]);
    expect(errors![0]!.message).toContain('Did you mean "viewer"');
    await server.close();
  });
});
