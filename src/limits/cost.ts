import { complexityFromQuery } from '@pothos/plugin-complexity';
import {
  BREAK,
  type DocumentNode,
  type FieldNode,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';

/** One that is valid. */
export interface CostedOperation {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Record<string, unknown> | undefined;
}

/**
 * What an answer costs at most, in points, by what the schema declares of its fields: one per field, more for one that
 * reads or writes, times the rows that a list may have. Of a subscription: one event.
 */
export function costOf(schema: GraphQLSchema, asked: CostedOperation): number {
  const { operation, variables = {} } = asked;
  const counting = countings.get(operation) ?? createCounting(schema, asked);
  countings.set(operation, counting);
  return typeof counting === 'number' ? counting : counting(variables);
}

/** Most operations cost the same whatever their variables are. */
type Counting = number | ((variables: Record<string, unknown>) => number);
const countings = new WeakMap<OperationDefinitionNode, Counting>();

function createCounting(schema: GraphQLSchema, { document, operation }: CostedOperation): Counting {
  const fragments = document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  const count = (variableDefinitions: OperationDefinitionNode['variableDefinitions'], variables: object) => {
    // It takes the first operation of what it is given.
    const alone = { kind: Kind.DOCUMENT, definitions: [{ ...operation, variableDefinitions }, ...fragments] };
    return complexityFromQuery(alone as DocumentNode, { schema, variables: { ...variables } }).complexity;
  };
  if (!dependsOnVariables(schema, document)) return count([], {});
  const definitions = operation.variableDefinitions ?? [];
  return (variables) => {
    // What cannot be read is refused by the execution, which says why: at most so many mistakes of it.
    const { errors } = getVariableValues(schema, definitions, variables, { maxErrors: 1 });
    return errors ? 0 : count(definitions, variables);
  };
}

/** Whether a field that looks at its arguments to say what it costs is given a variable. */
function dependsOnVariables(schema: GraphQLSchema, document: DocumentNode): boolean {
  const info = new TypeInfo(schema);
  let answer = false;
  visit(
    document,
    visitWithTypeInfo(info, {
      Field: (field) => {
        answer ||= typeof info.getFieldDef()?.extensions.complexity === 'function' && hasVariable(field);
        return answer ? BREAK : undefined;
      },
    }),
  );
  return answer;
}

function hasVariable({ arguments: given = [] }: FieldNode): boolean {
  let answer = false;
  for (const argument of given) {
    visit(argument, {
      Variable: () => {
        answer = true;
        return BREAK;
      },
    });
  }
  return answer;
}
