import {
  defaultFieldResolver,
  type GraphQLFieldResolver,
  type GraphQLSchema,
  getNamedType,
  isIntrospectionType,
  isObjectType,
} from 'graphql';
import type { Context } from '../context.ts';

/** What they stand for may be long; whatever else a field answers is short. */
const long: ReadonlySet<string> = new Set(['String', 'JSON']);

/** Has each execution count the text that it answers. */
export function measured(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || isIntrospectionType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      if (long.has(getNamedType(field.type).name)) field.resolve = counting(field.resolve);
    }
  }
  return schema;
}

function counting(
  resolve: GraphQLFieldResolver<unknown, Context> = defaultFieldResolver,
): GraphQLFieldResolver<unknown, Context> {
  return (source, args, context, info) => {
    const value = resolve(source, args, context, info);
    if (value instanceof Promise) return value.then((settled) => context.portion.answer(settled));
    return context.portion.answer(value);
  };
}
