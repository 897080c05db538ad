import fc from 'fast-check';
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';
import { json, text } from './nasty.ts';

export interface FuzzedOperation {
  readonly query: string;
  readonly variables: Record<string, unknown>;
}

/** Left alone, since they would end the fuzzing itself. */
const spared = new Set(['blockUser', 'disconnect']);

/** Operations that the schema takes, with values that it may not: each field of the roots, by and by. */
export function operations(schema: GraphQLSchema): fc.Arbitrary<FuzzedOperation> {
  const roots = (['query', 'mutation', 'subscription'] as const).flatMap((kind) => {
    const type: GraphQLObjectType | null | undefined = {
      query: schema.getQueryType(),
      mutation: schema.getMutationType(),
      subscription: schema.getSubscriptionType(),
    }[kind];
    return Object.values(type?.getFields() ?? {})
      .filter(({ name }) => !spared.has(name))
      .map((field) => ({ kind, field }));
  });
  return fc.constantFrom(...roots).chain(({ kind, field }) =>
    fc.record(argumentsOf(field.args), { requiredKeys: [] }).map((variables) => {
      const given = field.args.filter(({ name }) => name in variables);
      const declared = given.map(({ name, type }) => `$${name}: ${type}`).join(', ');
      const passed = given.map(({ name }) => `${name}: $${name}`).join(', ');
      const head = declared && `(${declared})`;
      const call = passed && `(${passed})`;
      return { query: `${kind} Fuzz${head} { ${field.name}${call}${selection(field.type, 3)} }`, variables };
    }),
  );
}

/** What is required is mostly there, and has its type half of the time. */
function argumentsOf(args: readonly GraphQLArgument[]): Record<string, fc.Arbitrary<unknown>> {
  return Object.fromEntries(
    args.map((argument) => {
      const value = valuesOf(argument.type, 3);
      return [argument.name, isRequiredArgument(argument) ? value : fc.oneof(value, fc.constant(null))];
    }),
  );
}

function valuesOf(type: GraphQLInputType, depth: number): fc.Arbitrary<unknown> {
  if (isNonNullType(type)) return valuesOf(type.ofType, depth);
  const wrong = { weight: 1, arbitrary: json };
  if (isListType(type)) {
    const list = fc.array(valuesOf(type.ofType, depth - 1), { maxLength: 4 });
    return fc.oneof({ weight: 6, arbitrary: list }, wrong);
  }
  if (isEnumType(type)) {
    const names = fc.constantFrom(...type.getValues().map(({ name }) => name));
    return fc.oneof({ weight: 6, arbitrary: names }, wrong);
  }
  if (isInputObjectType(type)) {
    if (depth === 0) return fc.constant({});
    const fields = Object.values(type.getFields());
    const object = fc.record(
      Object.fromEntries(fields.map((field) => [field.name, valuesOf(field.type, depth - 1)])),
      { requiredKeys: fields.filter(({ type }) => isNonNullType(type)).map(({ name }) => name) },
    );
    return fc.oneof({ weight: 8, arbitrary: object }, wrong);
  }
  return fc.oneof({ weight: 8, arbitrary: scalar(type.name) }, wrong);
}

function scalar(name: string): fc.Arbitrary<unknown> {
  switch (name) {
    case 'Int':
      return fc.oneof(fc.integer(), fc.constantFrom(0, 1, 50, 100, 101, -1));
    case 'Float':
      return fc.double();
    case 'Boolean':
      return fc.boolean();
    case 'JSON':
      return json;
    case 'DateTime':
      return fc.oneof(
        fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
        text,
      );
    default:
      return text;
  }
}

/** Every leaf, and objects down to a depth. */
function selection(type: GraphQLOutputType, depth: number): string {
  const named = getNamedType(type);
  if (!isObjectType(named)) return 'getFields' in named ? ' { __typename }' : '';
  const fields = Object.values(named.getFields()).filter((field) => isPlain(field, depth));
  return ` { __typename ${fields.map((field) => field.name + selection(field.type, depth - 1)).join(' ')} }`;
}

function isPlain({ args, type }: GraphQLField<unknown, unknown>, depth: number): boolean {
  return !args.some(isRequiredArgument) && (depth > 1 || !('getFields' in getNamedType(type)));
}
