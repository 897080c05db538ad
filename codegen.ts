import { readFile, rm, writeFile } from 'node:fs/promises';
import type { CodegenConfig } from '@graphql-codegen/cli';
import { type DocumentNode, Kind, type SelectionSetNode, visit } from 'graphql';
import { printSchema } from './src/schema/print.ts';

/** What the client package ships, and the manifest that a server takes as PERSISTED_OPERATIONS. */
const documents = 'client/src/documents/';

const schema = { plugins: ['schema-ast'], config: { includeDirectives: true } };

const config: CodegenConfig = {
  schema: printSchema(),
  documents: 'documents/*.graphql',
  importExtension: '.ts',
  generates: {
    'schema.graphql': schema,
    // The same, for the codegen of those who use the package.
    'client/schema.graphql': schema,
    [documents]: {
      preset: 'client',
      documentTransforms: [{ transform: ({ documents }) => documents.map(withTypenames) }],
      presetConfig: {
        fragmentMasking: false,
        persistedDocuments: { mode: 'embedHashInDocument', hashAlgorithm: 'sha256' },
      },
      config: {
        scalars: { DateTime: 'string', JSON: 'unknown', Position: 'string' },
        useTypeImports: true,
        enumsAsTypes: true,
      },
    },
  },
  hooks: {
    afterAllFileWrite: async () => {
      // The function `graphql` finds documents by their text in one's own sources: of no use to who imports them.
      for (const name of ['gql.ts', 'index.ts']) await rm(documents + name, { force: true });
      const text = await readFile(`${documents}graphql.ts`, 'utf8');
      await writeFile(`${documents}graphql.ts`, text.replaceAll(typenameInType, ''));
    },
  },
};

/** It is there for caches. Who makes a value of a type, for what is not sent yet, need not think of it. */
const typenameInType = /__typename: '\w+'(?:, | (?=\}))/g;

/**
 * With `__typename` wherever the caches of Apollo and urql would put it: what they added would not be in the text that
 * a hash stands for.
 */
function withTypenames<File extends { document?: DocumentNode }>(file: File): File {
  if (!file.document) return file;
  const name = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } } as const;
  const document: DocumentNode = visit(file.document, {
    SelectionSet: (node, _key, parent): SelectionSetNode | undefined => {
      const isRoot = parent && 'kind' in parent && parent.kind === Kind.OPERATION_DEFINITION;
      return isRoot ? undefined : { ...node, selections: [name, ...node.selections] };
    },
  });
  return { ...file, document };
}

export default config;
