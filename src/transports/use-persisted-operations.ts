import type { GraphQLParams, Plugin } from 'graphql-yoga';
import type { createFindText } from '../limits/persisted.ts';
import type { Parameters } from './operation.ts';

/** Persisted operations over plain HTTP; the other wires look for the text where they prepare an operation. */
export function usePersistedOperations(findText: ReturnType<typeof createFindText>): Plugin {
  return {
    onParams: ({ params, request, setParams }) => {
      const { documentId: given, ...rest } = params as Parameters;
      const documentId = given ?? new URL(request.url).searchParams.get('documentId') ?? undefined;
      setParams({ ...rest, query: findText({ ...rest, documentId }) } as GraphQLParams);
    },
  };
}
