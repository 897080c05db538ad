import type { Person } from '../domain/user.ts';
import type { Viewer as ViewerShape } from '../domain/viewer.ts';
import { blockUser, online, upsertUser, user, viewer, viewerUser } from '../resolvers/user.ts';
import { builder } from './builder.ts';
import { common } from './common.ts';
import { read, write } from './cost.ts';
import { Entity } from './entity.ts';

export const User = builder.objectRef<Person>('User');

User.implement({
  ...common,
  interfaces: [Entity],
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'avatarUrl' in value,
  fields: (t) => ({
    id: t.exposeID('id', { description: "The `sub` claim of the user's token." }),
    name: t.exposeString('name'),
    avatarUrl: t.exposeString('avatarUrl', { nullable: true }),
    // The same for whoever asks at the same moment.
    online: t.boolean({
      description:
        'True while the user has a live connection on any node (with a grace period over short drops).',
      resolve: online,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

export const Viewer = builder.objectRef<ViewerShape>('Viewer');

Viewer.implement({
  description: 'Who is asking.',
  fields: (t) => ({
    id: t.exposeID('id', { description: "The user's id." }),
    user: t.field({ type: User, resolve: viewerUser }),
    roles: t.stringList({ resolve: ({ roles }) => [...roles] }),
  }),
});

builder.queryField('viewer', (t) => t.field({ type: Viewer, resolve: viewer }));

builder.queryField('user', (t) =>
  t.field({
    type: User,
    nullable: true,
    complexity: read,
    args: { id: t.arg.id({ required: true }) },
    resolve: user,
  }),
);

builder.mutationField('blockUser', (t) =>
  t.field({
    description: "admin: ends the user's connections and refuses their tokens until unblocked.",
    type: User,
    complexity: write,
    args: { id: t.arg.id({ required: true }), blocked: t.arg.boolean({ defaultValue: true }) },
    resolve: blockUser,
  }),
);

builder.mutationField('upsertUser', (t) =>
  t.field({
    description: 'service, admin',
    type: User,
    complexity: write,
    args: {
      id: t.arg.id({ required: true }),
      name: t.arg.string({ required: true }),
      avatarUrl: t.arg.string(),
    },
    resolve: upsertUser,
  }),
);
