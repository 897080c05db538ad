import { GraphQLError, type ValueNode, valueFromASTUntyped } from 'graphql';
import type { Json } from '../domain/input.ts';
import { builder } from './builder.ts';

builder.scalarType('DateTime', {
  description: 'An instant as ISO 8601 with an offset, for example 2026-11-22T10:30:00.000Z.',
  serialize: (value) => value.toISOString(),
  parseValue: parseInstant,
});

builder.scalarType('JSON', {
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value as Json,
  parseLiteral: (node: ValueNode, variables) => valueFromASTUntyped(node, variables) as Json,
});

builder.scalarType('Position', {
  description: `An opaque place in the event journal. Every payload of a resumable subscription carries one in \`extensions.position\`.
Handing it back (\`after\`, or \`extensions.after\` of the subscribe request, or \`Last-Event-ID\` on SSE)
continues right behind it: nothing lost, nothing twice.`,
  serialize: (value) => value,
  parseValue: (value) => {
    if (typeof value !== 'string') throw refused('A position is a string.');
    return value;
  },
});

const isoPattern = /^(\d{4}-\d\d-(\d\d))T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

function parseInstant(value: unknown): Date {
  const [, date, day] = (typeof value === 'string' && isoPattern.exec(value)) || [];
  // JavaScript takes the 30th of February for the 2nd of March.
  const isOfCalendar = date && new Date(date).getUTCDate() === Number(day);
  const instant = isOfCalendar ? new Date(value as string) : undefined;
  if (!instant || Number.isNaN(instant.getTime())) {
    throw refused('An instant is ISO 8601 with an offset, for example 2026-11-22T10:30:00.000Z.');
  }
  // PostgreSQL knows no year 0, and others no year of five digits, which an offset can still make.
  const year = instant.getUTCFullYear();
  if (year < 1 || year > 9999) throw refused('An instant is within the years 0001 to 9999 of UTC.');
  return instant;
}

function refused(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}
