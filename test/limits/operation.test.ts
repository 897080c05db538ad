import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';
import { type Asked, answerTo, wires } from '../support/wires.ts';

const many = (count: number, part: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => part(index)).join(' ');
const within = (depth: number, before: string, inner: string, after: string) =>
  before.repeat(depth) + inner + after.repeat(depth);

/** Spread n times, each fragment in the one before it twice. */
const explosion = (depth: number) =>
  `{ viewer { ...F0 } } ${many(depth, (at) => `fragment F${at} on Viewer { ...F${at + 1} ...F${at + 1} }`)}
   fragment F${depth} on Viewer { id }`;

const pages = (first: string) =>
  `channels(first: ${first}) { edges { node { messages(first: ${first}) { edges { node { channel {
     members(first: ${first}) { edges { node { id } } } } } } } } } }`;

/** What attacks by its form alone, with the measure that it exceeds. */
const bombs: readonly [name: string, measure: string, asked: Asked][] = [
  ['a flood of tokens', 'tokens', { query: `{ viewer { id(a: [${many(20_000, () => '1')}]) } }` }],
  ['a text that is too long', 'characters', { query: `{ viewer { id } } # ${'x'.repeat(900_000)}` }],
  ['an alias that is too long', 'name', { query: `{ ${'x'.repeat(201)}: viewer { id } }` }],
  ['a text of too many lines', 'lines', { query: `${'\n'.repeat(90_000)}{ ${many(50, (at) => `x${at}`)} }` }],
  ['a literal that is nested deeply', 'nesting', { query: `{ user(id: ${'['.repeat(10_000)}) { id } }` }],
  [
    'fields that are nested deeply',
    'depth',
    { query: `{ ${within(20, 'channel { messages { ', 'x', '} }')} }` },
  ],
  [
    'fields that are nested by fragments',
    'depth',
    {
      query: `{ channel(name: "c") { ...F0 } } ${many(20, (at) => `fragment F${at} on Channel { messages { edges { node { channel { ...F${at + 1} } } } } }`)}
            fragment F20 on Channel { id }`,
    },
  ],
  [
    'fields that are nested behind an alias',
    'depth',
    {
      query: `{ __schema: channel(name: "c") { ${within(20, 'messages { edges { ', 'x', '} }')} } }`,
    },
  ],
  [
    'fields that are nested in a fragment of that name',
    'depth',
    {
      query: `{ ...__schema } fragment __schema on Query { channel(name: "c") { ${within(20, 'messages { edges { ', 'x', '} }')} } }`,
    },
  ],
  ['a bomb of aliases', 'aliases', { query: `{ ${many(500, (at) => `a${at}: __typename`)} }` }],
  [
    'a bomb of aliases by a fragment',
    'aliases',
    {
      query: `{ ${many(20, () => '...F')} } fragment F on Query { ${many(10, (at) => `a${at}: position`)} }`,
    },
  ],
  [
    'a bomb of directives',
    'directives',
    { query: `{ position ${many(2_000, () => '@include(if: true)')} }` },
  ],
  ['a bomb of unknown directives', 'directives', { query: `query ${many(2_000, () => '@x')} { position }` }],
  ['a flood of the same field', 'selections', { query: `{ ${many(5_000, () => 'position')} }` }],
  ['an explosion of fragments', 'selections', { query: explosion(40) }],
  [
    'a flood of fragments',
    'definitions',
    {
      query: `{ ${many(400, (at) => `...F${at}`)} } ${many(400, (at) => `fragment F${at} on Query { position }`)}`,
    },
  ],
  ['pages of pages of pages', 'cost', { query: `{ ${pages('100')} }` }],
  [
    'pages of pages of pages that say no number',
    'cost',
    {
      query: `{ channels { edges { node { messages { edges { node { channel { messages { edges { node { id } } } } } } } } } } }`,
    },
  ],
  ['pages by a variable', 'cost', { query: `query Q($n: Int!) { ${pages('$n')} }`, variables: { n: 100 } }],
  ['pages by the default of a variable', 'cost', { query: `query Q($n: Int = 100) { ${pages('$n')} }` }],
  [
    'pages in the second of two operations',
    'cost',
    {
      query: `query A { position } query B($n: Int!) { ${pages('$n')} }`,
      operationName: 'B',
      variables: { n: 100 },
    },
  ],
];

describe('an operation', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('postgres');
  });
  afterAll(() => server.close());

  describe.each(wires)('over %s', (wire) => {
    test.each(bombs)('%s is refused, by its %s', async (_name, measure, asked) => {
      const { data, errors } = await answerTo(server, wire, asked);
      expect(data).toBeUndefined();
      expect(errors).toHaveLength(1);
      const { extensions, message } = errors![0]!;
      expect(extensions).toMatchObject({ code: 'OPERATION_TOO_COMPLEX', measure });
      const { limit, found } = extensions as unknown as { limit: number; found: number };
      expect(found).toBeGreaterThan(limit);
      expect(message).toContain(`${found}, and at most ${limit}`);
    });
  });
});
