import type { Stats as StatsShape } from '../domain/session.ts';
import { disconnect, stats } from '../resolvers/session.ts';
import { builder } from './builder.ts';

export const Stats = builder.objectRef<StatsShape>('Stats');

Stats.implement({
  fields: (t) => ({
    nodes: t.exposeInt('nodes'),
    connections: t.exposeInt('connections'),
    subscriptions: t.exposeInt('subscriptions'),
    outboxDepth: t.exposeInt('outboxDepth', { description: 'Events waiting in the outbox.' }),
    journalPosition: t.expose('journalPosition', { type: 'Position' }),
  }),
});

builder.queryField('stats', (t) => t.field({ description: 'admin', type: Stats, resolve: stats }));

builder.mutationField('disconnect', (t) =>
  t.int({
    description:
      'admin: ends live connections on every node; returns how many. Exactly one of userId and connectionId.',
    args: { userId: t.arg.id(), connectionId: t.arg.id(), reason: t.arg.string() },
    resolve: disconnect,
  }),
);
