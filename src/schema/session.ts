import type { SessionRow, Stats as StatsShape } from '../domain/session.ts';
import {
  disconnect,
  type SessionPage,
  sessions,
  sessionUser,
  stats,
  totalSessions,
  viewerSessions,
} from '../resolvers/session.ts';
import { builder } from './builder.ts';
import { counted, page, read, write } from './cost.ts';
import { Entity } from './entity.ts';
import { type Edge, edgesOf, infoOf, PageInfo } from './page.ts';
import { User, Viewer } from './user.ts';

export const TransportKind = builder.enumType('TransportKind', {
  values: { WEBSOCKET: { value: 'websocket' }, SSE: { value: 'sse' } } as const,
});

export const Session = builder.objectRef<SessionRow>('Session');
const SessionEdge = builder.objectRef<Edge<SessionRow>>('SessionEdge');
const SessionConnection = builder.objectRef<SessionPage>('SessionConnection');

Session.implement({
  description: 'One live connection of a client.',
  interfaces: [Entity],
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'connectionType' in value,
  fields: (t) => ({
    id: t.exposeID('id'),
    user: t.field({ type: User, nullable: true, resolve: sessionUser }),
    transport: t.expose('connectionType', { type: TransportKind }),
    ipAddress: t.exposeString('ipAddress', { nullable: true }),
    userAgent: t.exposeString('userAgent', { nullable: true }),
    channels: t.stringList({
      description: 'Names of the channels it is subscribed to.',
      resolve: ({ metadata }) => [...(metadata?.channels ?? [])],
    }),
    subscriptionCount: t.int({ resolve: ({ metadata }) => metadata?.subscriptionCount ?? 0 }),
    node: t.exposeString('node'),
    connectedAt: t.expose('connectedAt', { type: 'DateTime' }),
    lastPing: t.expose('lastPing', { type: 'DateTime' }),
  }),
});

SessionEdge.implement({
  fields: (t) => ({ node: t.expose('node', { type: Session }), cursor: t.exposeString('cursor') }),
});

SessionConnection.implement({
  fields: (t) => ({
    edges: t.field({ type: [SessionEdge], complexity: counted, resolve: edgesOf }),
    pageInfo: t.field({ type: PageInfo, resolve: infoOf }),
    // One question for the page, but counted once for each of its rows.
    totalCount: t.int({ complexity: 2, resolve: totalSessions }),
  }),
});

builder.objectField(Viewer, 'sessions', (t) =>
  t.field({
    description: "The viewer's own live connections.",
    type: [Session],
    complexity: { field: read, multiplier: 20 },
    resolve: viewerSessions,
  }),
);

builder.queryField('sessions', (t) =>
  t.field({
    description: 'admin',
    type: SessionConnection,
    complexity: page,
    args: { userId: t.arg.id(), channel: t.arg.string(), first: t.arg.int(), after: t.arg.string() },
    resolve: sessions,
  }),
);

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

builder.queryField('stats', (t) =>
  t.field({ description: 'admin', type: Stats, complexity: read, resolve: stats }),
);

builder.mutationField('disconnect', (t) =>
  t.int({
    description:
      'admin: ends live connections on every node; returns how many. Exactly one of userId and connectionId.',
    complexity: write,
    args: { userId: t.arg.id(), connectionId: t.arg.id(), reason: t.arg.string() },
    resolve: disconnect,
  }),
);
