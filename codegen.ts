import { rm } from 'node:fs/promises';
import type { CodegenConfig } from '@graphql-codegen/cli';
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
    // The function `graphql` finds documents by their text in one's own sources: of no use to who imports them.
    afterAllFileWrite: async () => {
      for (const name of ['gql.ts', 'index.ts']) await rm(documents + name, { force: true });
    },
  },
};

export default config;
