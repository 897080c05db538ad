import { position } from '../resolvers/position.ts';
import { builder } from './builder.ts';

builder.queryField('position', (t) =>
  t.field({
    description:
      "The journal's head, taken before anything else in this query is read: use it as `after`, and nothing is missed between this state and the stream (what the state already shows may come once more).",
    type: 'Position',
    resolve: position,
  }),
);
