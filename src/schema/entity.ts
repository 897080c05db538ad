import { builder } from './builder.ts';

export const Entity = builder.interfaceRef<{ id: string }>('Entity');

Entity.implement({
  description: 'A row that has an identity. Clients normalise their caches by `__typename` and `id`.',
  fields: (t) => ({ id: t.exposeID('id') }),
});
