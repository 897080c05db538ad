import type { Context } from '../context.ts';

/** Read before the execution began. */
export const position = (_root: unknown, _args: unknown, context: Context) => context.position!;
