import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConfigError, parseConfig } from '../../src/config.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { EventStreamClient } from '../support/sse.ts';
import { type Asked, answerTo, wires } from '../support/wires.ts';

const known = 'query Known { position viewer { id } }';
const follow = 'subscription Follow($channel: String!) { channelMessage(channel: $channel) { body } }';
const pages =
  'query Pages($n: Int) { channels(first: $n) { edges { node { messages(first: $n) { edges { node { channel { messages { edges { node { id } } } } } } } } } } }';
const other = '{ viewer { id } }';
const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const manifest = Object.fromEntries([known, follow, pages].map((text) => [hash(text), text]));

const folder = mkdtempSync(join(tmpdir(), 'persisted-'));
function file(content: unknown): string {
  const path = join(folder, `${hash(String(Math.random()))}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}
afterAll(() => rmSync(folder, { recursive: true }));

/** The ways to name an operation, and its text. */
const named: readonly [string, (text: string) => Asked][] = [
  [
    'its hash, as Apollo and urql send it',
    (text) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: hash(text) } } }),
  ],
  ['its id, as GraphQL over HTTP has it', (text) => ({ documentId: `sha256:${hash(text)}` })],
  ['the id alone', (text) => ({ documentId: hash(text) })],
];

describe.each([
  ['a manifest of hashes', manifest],
  [
    'the manifest that codegen writes',
    Object.fromEntries(Object.entries(manifest).map(([id, text]) => [`sha256:${id}`, text])),
  ],
  [
    'the manifest that Apollo writes',
    {
      format: 'apollo-persisted-query-manifest',
      version: 1,
      operations: Object.entries(manifest).map(([id, body]) => ({ id, body, name: 'x', type: 'query' })),
    },
  ],
])('with nothing but %s', (_name, content) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('postgres', {
      PERSISTED_OPERATIONS: file(content),
      PERSISTED_OPERATIONS_ONLY: '1',
    });
  });
  afterAll(() => server.close());

  describe.each(wires)('over %s', (wire) => {
    test.each(named)('an operation runs by %s', async (_way, by) => {
      expect((await answerTo(server, wire, by(known))).data).toEqual({
        position: expect.any(String),
        viewer: { id: 'ada' },
      });
    });

    test('an operation runs by its own text', async () => {
      expect((await answerTo(server, wire, { query: known })).data.viewer.id).toBe('ada');
    });

    test.each(named)(
      'an unknown one is not found by %s, in the words that clients know',
      async (_way, by) => {
        const { errors } = await answerTo(server, wire, by(other));
        expect(errors).toMatchObject([
          { message: 'PersistedQueryNotFound', extensions: { code: 'NOT_FOUND' } },
        ]);
      },
    );

    test.each([
      ['another text', { query: other }],
      ['a known text that was changed', { query: `${known} ` }],
      ['another text beside an unknown hash', { query: other, ...named[0]![1](other) }],
      ['a question about the schema', { query: '{ __schema { queryType { name } } }' }],
    ])('%s is refused, to an admin as well', async (_what, asked) => {
      for (const roles of [[], ['admin']] as const) {
        const { data, errors } = await answerTo(server, wire, asked, { userId: `u-${roles}`, roles });
        expect(data).toBeUndefined();
        expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
      }
    });

    test('another text beside a known hash is not what runs', async () => {
      const asked = { query: '{ viewer { roles } }', ...named[0]![1](known) };
      expect((await answerTo(server, wire, asked)).data).toMatchObject({ viewer: { id: 'ada' } });
    });

    test.each([
      ['a number', { documentId: 1 as never }],
      ['an object', { extensions: { persistedQuery: { sha256Hash: {} } } }],
    ])('%s for an id is bad input', async (_what, asked) => {
      const { errors } = await answerTo(server, wire, asked);
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    });

    test.each(['constructor', '__proto__', 'toString'])('%s is no operation', async (documentId) => {
      const { errors } = await answerTo(server, wire, { documentId });
      expect(errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    });

    test('the cost is counted, as of any other', async () => {
      const by = named[0]![1](pages);
      expect((await answerTo(server, wire, { ...by, variables: { n: 1 } })).errors).toBeUndefined();
      const { errors } = await answerTo(server, wire, { ...by, variables: { n: 100 } });
      expect(errors).toMatchObject([{ extensions: { code: 'OPERATION_TOO_COMPLEX', measure: 'cost' } }]);
    });
  });

  test('a GET runs what it names', async () => {
    const headers = { authorization: `Bearer ${await server.token('ada')}` };
    const get = async (parameters: Record<string, string>, more = {}) =>
      fetch(`${server.url}/graphql?${new URLSearchParams(parameters)}`, { headers: { ...headers, ...more } });
    const extensions = JSON.stringify(named[0]![1](known).extensions);
    const ways: Record<string, string>[] = [{ documentId: `sha256:${hash(known)}` }, { extensions }];
    for (const parameters of ways) {
      expect((await (await get(parameters)).json()).data.viewer.id).toBe('ada');
      const stream = await get(parameters, { accept: 'text/event-stream' });
      expect(await stream.text()).toContain('"viewer":{"id":"ada"}');
    }
    expect((await (await get({ query: other })).json()).errors[0].extensions.code).toBe('FORBIDDEN');
  });

  test('a subscription is named like any other operation, on both wires', async () => {
    await server.sql(
      "insert into channels (id, name, kind) values (gen_random_uuid(), 'c', 'PUBLIC') on conflict do nothing",
    );
    const asked = { query: '', variables: { channel: 'c' }, ...named[0]![1](follow) };
    const socket = await server.socket('ada');
    const bySocket = socket.run(asked);
    const stream = new EventStreamClient(`${server.url}/graphql`, await server.token('ada'), asked);
    await stream.opened;
    // What follows on a socket waits for its subscriptions.
    expect((await socket.run({ query: known }).next()).data.viewer.id).toBe('ada');
    expect(bySocket.waiting).toEqual([]);
    stream.cut();
    await socket.close();
  });

  test('there is no GraphiQL', async () => {
    const response = await fetch(`${server.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(await response.text()).not.toContain('<html');
  });
});

describe('without a manifest', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('postgres');
  });
  afterAll(() => server.close());

  describe.each(wires)('over %s', (wire) => {
    test.each(named)('clients are told so that ask by %s', async (_way, by) => {
      const { errors } = await answerTo(server, wire, by(known));
      expect(errors).toMatchObject([
        { message: 'PersistedQueryNotSupported', extensions: { code: 'BAD_USER_INPUT' } },
      ]);
    });

    test.each(named)('a text runs, beside %s or not', async (_way, by) => {
      expect((await answerTo(server, wire, { query: other, ...by(other) })).data.viewer.id).toBe('ada');
    });
  });
});

describe('with a manifest beside anything else', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('postgres', { PERSISTED_OPERATIONS: file(manifest) });
  });
  afterAll(() => server.close());

  test.each(wires)('what is known runs by its hash, and any text by itself, over %s', async (wire) => {
    const [, by] = named[0]!;
    expect((await answerTo(server, wire, by(known))).data.viewer.id).toBe('ada');
    expect((await answerTo(server, wire, { query: other })).data.viewer.id).toBe('ada');
    expect((await answerTo(server, wire, by(other))).errors?.[0]?.message).toBe('PersistedQueryNotFound');
    // As a client of Apollo goes on then.
    expect((await answerTo(server, wire, { query: other, ...by(other) })).data.viewer.id).toBe('ada');
  });
});

describe('a manifest', () => {
  const problemsOf = (environment: Record<string, string>) => {
    try {
      parseConfig(environment);
      return [];
    } catch (error) {
      return (error as ConfigError).problems;
    }
  };

  test.each([
    ['that is not there', '/nowhere/manifest.json', 'cannot be read'],
    ['that is not JSON', file('{'), 'is not JSON'],
    ['that is a list', file([known]), 'is neither'],
    ['of something else than texts', file({ a: { body: known } }), 'is neither'],
    ['of nothing', file({}), 'without operations'],
    ['of something that does not parse', file({ abc: '{' }), 'operation "abc" cannot be parsed'],
  ])('%s is told at the start, by the name of its variable', (_what, path, words) => {
    const problems = problemsOf({ PERSISTED_OPERATIONS: path });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^PERSISTED_OPERATIONS names a file /);
    expect(problems[0]).toContain(words);
  });

  test('is needed where nothing else runs, and GraphiQL contradicts that', () => {
    expect(problemsOf({ PERSISTED_OPERATIONS_ONLY: '1' })).toEqual([
      expect.stringContaining('PERSISTED_OPERATIONS is missing'),
    ]);
    const both = { PERSISTED_OPERATIONS: file(manifest), PERSISTED_OPERATIONS_ONLY: '1' };
    expect(problemsOf({ ...both, GRAPHIQL: '1' })).toEqual([expect.stringContaining('GRAPHIQL')]);
    expect(parseConfig(both).graphiql).toBe(false);
  });
});
