import { readFileSync } from 'node:fs';
import { type DocumentNode, Kind, type OperationDefinitionNode, print, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { schema } from '../../src/schema/index.ts';
import * as shipped from '../src/documents/graphql.ts';
import { payloadOf, positionQuery, refreshMutation } from '../src/operation.ts';

interface Shipped extends DocumentNode {
  readonly __meta__: { readonly hash: string };
}

const documents = Object.entries(shipped).map(([name, document]) => ({
  name,
  document: document as unknown as Shipped,
}));
const manifest = JSON.parse(
  readFileSync(new URL('../src/documents/persisted-documents.json', import.meta.url), 'utf8'),
) as Record<string, string>;

const operationOf = ({ definitions }: DocumentNode) =>
  definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION) as OperationDefinitionNode | undefined;

/** `Query.channel`, for each field that an operation asks for. */
function fieldsOf(document: DocumentNode): string[] {
  const operation = operationOf(document);
  if (!operation) return [];
  const type = operation.operation[0]!.toUpperCase() + operation.operation.slice(1);
  return operation.selectionSet.selections.map((field) =>
    field.kind === Kind.FIELD ? `${type}.${field.name.value}` : '',
  );
}

describe('the documents', () => {
  const everything = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap(
    (type) => Object.keys(type!.getFields()).map((field) => `${type}.${field}`),
  );

  test.each(everything)('have one for %s', (field) => {
    expect(documents.flatMap(({ document }) => fieldsOf(document))).toContain(field);
  });

  test.each(documents.filter(({ document }) => operationOf(document)))(
    'has $name, which is valid',
    ({ document }) => {
      expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
    },
  );

  test('are each in the manifest of persisted operations, by the hash that they carry', () => {
    const operations = documents.filter(({ document }) => operationOf(document));
    const words = (text: string) =>
      text
        .split(/[^\w]+/)
        .filter(Boolean)
        .sort()
        .join(' ');
    for (const { document } of operations) {
      expect(words(manifest[document.__meta__.hash] ?? '')).toBe(words(print(document)));
    }
    expect(Object.keys(manifest)).toHaveLength(operations.length);
  });

  test('have those that the client itself asks for, by the same hashes', () => {
    const { PositionDocument, RefreshTokenDocument } = shipped;
    expect(positionQuery.extensions).toEqual(payloadOf({ document: PositionDocument }).extensions);
    expect(refreshMutation('x').extensions).toEqual(payloadOf({ document: RefreshTokenDocument }).extensions);
  });
});
