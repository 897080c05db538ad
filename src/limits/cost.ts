import { complexityFromQuery } from '@pothos/plugin-complexity';
import {
  type DocumentNode,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';

/** Of a valid operation. */
export interface CostedOperation {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Record<string, unknown> | undefined;
}

/**
 * What an answer costs at most, in points, by what the schema declares of its fields: one per field, more for one that
 * reads or writes, times the rows that a list may have. Of a subscription: one event.
 */
export function costOf(
  schema: GraphQLSchema,
  { document, operation, variables = {} }: CostedOperation,
): number {
  const definitions = operation.variableDefinitions ?? [];
  const known = constantCosts.get(operation);
  if (known !== undefined) return known;
  // What cannot be read is refused by the execution, which says why: at most so many mistakes of it.
  if (getVariableValues(schema, definitions, variables, { maxErrors: 1 }).errors) return 0;
  const fragments = document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  // It takes the first operation of what it is given.
  const alone: DocumentNode = { kind: Kind.DOCUMENT, definitions: [operation, ...fragments] };
  const { complexity } = complexityFromQuery(alone, { schema, variables });
  if (definitions.length === 0) constantCosts.set(operation, complexity);
  return complexity;
}

const constantCosts = new WeakMap<OperationDefinitionNode, number>();
