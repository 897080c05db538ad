import { getTableColumns, type Table } from 'drizzle-orm';

/** SQL: a row as drizzle would answer it, as one JSON object. Instants are text in it. */
export function rowAsJson(table: Table, alias: string): string {
  const pairs = Object.entries(getTableColumns(table)).map(([key, { name }]) => `'${key}', ${alias}.${name}`);
  return `jsonb_build_object(${pairs.join(', ')})`;
}
