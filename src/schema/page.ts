import type { Page } from '../domain/page.ts';
import { builder } from './builder.ts';

/** Any page: its edges are typed by the connection. */
export const PageInfo = builder.objectRef<Page<unknown>>('PageInfo');

PageInfo.implement({
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage'),
    hasPreviousPage: t.exposeBoolean('hasPreviousPage'),
    startCursor: t.string({
      nullable: true,
      resolve: ({ rows, cursor }) => (rows.length > 0 ? cursor(rows[0]) : null),
    }),
    endCursor: t.string({
      nullable: true,
      resolve: ({ rows, cursor }) => (rows.length > 0 ? cursor(rows.at(-1)) : null),
    }),
  }),
});

/** A row of a page, and its cursor. */
export interface Edge<Row> {
  readonly node: Row;
  readonly cursor: string;
}

export function edgesOf<Row>({ rows, cursor }: Page<Row>): Edge<Row>[] {
  return rows.map((node) => ({ node, cursor: cursor(node) }));
}

/** The parts of a page that forget what its rows are. */
export function infoOf<Row>(page: Page<Row>): Page<unknown> {
  return page as Page<unknown>;
}
