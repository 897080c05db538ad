import { lexicographicSortSchema, printSchema as print } from 'graphql';
import { schema } from './index.ts';

/** The schema as clients read it. */
export function printSchema(): string {
  return print(lexicographicSortSchema(schema));
}
