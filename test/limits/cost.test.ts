import { readdirSync, readFileSync } from 'node:fs';
import {
  getIntrospectionQuery,
  getNamedType,
  getOperationAST,
  isObjectType,
  Kind,
  parse,
  print,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { costOf } from '../../src/limits/cost.ts';
import { demandModest } from '../../src/limits/structure.ts';
import { demandReadable } from '../../src/limits/text.ts';
import { schema } from '../../src/schema/index.ts';

const {
  operation: limits,
  subscriptionsPerConnection,
  subscriptionCostPerConnection,
} = parseConfig({}).limits;

function cost(query: string, variables: Record<string, unknown> = {}, operationName?: string): number {
  demandReadable(query, limits);
  const document = parse(query);
  demandModest(document, limits);
  return costOf(schema, { document, operation: getOperationAST(document, operationName)!, variables });
}

const documents = readdirSync('documents')
  .filter((name) => name.endsWith('.graphql'))
  .flatMap((name) => parse(readFileSync(`documents/${name}`, 'utf8')).definitions);
const fragments = documents.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
const operations = documents.flatMap((definition) =>
  definition.kind === Kind.OPERATION_DEFINITION ? [definition] : [],
);
/** A whole document, as clients send it: what is not spread is left out. */
function textOf(operation: (typeof operations)[number]): string {
  return print({ kind: Kind.DOCUMENT, definitions: [operation, ...fragments] });
}

describe('the cost of an operation', () => {
  test.each(operations.map((operation) => [operation.name!.value, operation] as const))(
    'lets %s through',
    (_name, operation) => {
      const found = cost(textOf(operation), {}, operation.name!.value);
      expect(found).toBeLessThan(limits.cost / 10);
      if (operation.operation !== 'subscription') return;
      expect(found * subscriptionsPerConnection).toBeLessThanOrEqual(subscriptionCostPerConnection);
    },
  );

  test('lets what tools ask of the schema through', () => {
    const everything = {
      inputValueDeprecation: true,
      specifiedByUrl: true,
      schemaDescription: true,
      directiveIsRepeatable: true,
      oneOf: true,
    };
    expect(cost(getIntrospectionQuery(everything))).toBeLessThan(limits.cost / 10);
  });

  test('lets a thousand notifications with all that there is of each through', () => {
    const query = `mutation ($inputs: [SendNotificationInput!]!) { sendNotifications(inputs: $inputs) { ${all('Notification')} } }`;
    const inputs = Array.from({ length: 1_000 }, () => ({ userId: 'ada', title: 'a', message: 'b' }));
    expect(cost(query, { inputs })).toBeLessThan(limits.cost);
    expect(cost(query, { inputs: inputs.slice(1) })).toBeLessThan(cost(query, { inputs }));
  });

  test('counts what a page may have, whatever is asked for', () => {
    const query = 'query ($n: Int) { channels(first: $n) { edges { node { id } } } }';
    const [ten, usual, most] = [cost(query, { n: 10 }), cost(query), cost(query, { n: 100 })];
    expect([ten, usual, most]).toEqual([130, 250, 400]);
    // These are refused by the field, which says what is allowed.
    expect(cost(query, { n: 1_000_000_000 })).toBe(most);
    expect(cost(query, { n: -1 })).toBe(usual);
    expect(cost('{ channels(first: 1000000000) { edges { node { id } } } }')).toBe(most);
  });

  test('counts a page backward like a page forward', () => {
    const query = (page: string) => `{ channel(name: "c") { messages(${page}) { edges { node { id } } } } }`;
    expect(cost(query('last: 100'))).toBe(cost(query('first: 100')));
    expect(cost(query('first: 1, last: 100'))).toBe(cost(query('first: 100')));
  });

  test('counts what is skipped or included, and each alias for itself', () => {
    const once = cost('{ user(id: "a") { id } }');
    expect(cost('{ user(id: "a") @skip(if: true) { id } }')).toBe(once);
    expect(cost('{ a: user(id: "a") { id } b: user(id: "a") { id } }')).toBe(2 * once);
  });

  test('counts a fragment wherever it is spread', () => {
    const fragment = 'fragment F on User { id name }';
    expect(cost(`{ a: user(id: "a") { ...F ...F } } ${fragment}`)).toBe(
      cost('{ a: user(id: "a") { id name id name } }'),
    );
  });
});

/** Every field of a type, and of what it leads to, but no list twice. */
function all(name: string, depth = 0): string {
  const type = schema.getType(name);
  if (!isObjectType(type)) return '';
  const fields = Object.values(type.getFields()).flatMap((field) => {
    const named = getNamedType(field.type);
    if (!isObjectType(named)) return [field.name];
    return depth === 0 ? [`${field.name} { ${all(named.name, depth + 1)} }`] : [];
  });
  return fields.join(' ');
}

describe('the schema', () => {
  const fields = Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type))
    .filter(({ name }) => !name.startsWith('__'))
    .flatMap((type) =>
      Object.values(type.getFields()).map((field) => ({ name: `${type}.${field.name}`, field })),
    );

  test('says of every page that its rows count', () => {
    const paged = fields.filter(({ field }) =>
      field.args.some(({ name }) => name === 'first' || name === 'last'),
    );
    expect(paged.length).toBeGreaterThan(3);
    const silent = paged.filter(({ field }) => typeof field.extensions.complexity !== 'function');
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  test('says of every mutation what it costs', () => {
    const mutations = fields.filter(({ name }) => name.startsWith('Mutation.'));
    const silent = mutations.filter(({ field }) => field.extensions.complexity === 1);
    expect(silent.map(({ name }) => name)).toEqual([]);
  });
});
