import { refreshToken } from '../resolvers/token.ts';
import { builder } from './builder.ts';
import { read } from './cost.ts';

builder.mutationField('refreshToken', (t) =>
  t.field({
    description: 'Replaces the token of this WebSocket connection before the old one expires.',
    type: 'DateTime',
    args: { token: t.arg.string({ required: true }) },
    complexity: read,
    resolve: refreshToken,
  }),
);
