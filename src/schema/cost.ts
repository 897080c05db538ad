import { type PageArguments, sizeOf } from '../domain/page.ts';

/*
 * Costs are points. A field costs 1 where it says nothing, also one that is loaded together with those of other rows.
 * A list says how many there may be.
 */

/** Of a field that asks the database for itself. */
export const read = 100;

/** Of a field that writes. */
export const write = 200;

/** Of a connection: what it selects counts once for each row that the page may have. */
export const page = (args: PageArguments) => ({ field: read, multiplier: sizeOf(args) });

/** Of the edges of a connection, which has counted them. */
export const counted = { field: 1, multiplier: 1 };
