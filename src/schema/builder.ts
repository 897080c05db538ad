import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import type { Context } from '../context.ts';
import type { Json } from '../domain/input.ts';

/** Fields are non-null unless they say so. */
export const builder = new SchemaBuilder<{
  Context: Context;
  DefaultFieldNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: Json; Output: unknown };
    Position: { Input: string; Output: string };
  };
}>({
  defaultFieldNullability: false,
  plugins: [ComplexityPlugin],
  // Fields say here what they cost; it is counted before anything is executed, and not by the resolvers.
  complexity: { disabled: true },
});

builder.queryType({});
builder.mutationType({});
builder.subscriptionType({});
