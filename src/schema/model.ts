import type { ModelChange } from '../domain/model-event.ts';
import type { ModelRow, NewWatch } from '../domain/watch.ts';
import { modelUpdated, toModelEvent, unwatchModel, watchedModels, watchModel } from '../resolvers/model.ts';
import { builder } from './builder.ts';
import { common } from './common.ts';
import { read, write } from './cost.ts';
import { Entity } from './entity.ts';

const ModelAction = builder.enumType('ModelAction', { values: ['CREATED', 'UPDATED', 'DELETED'] as const });

const ModelMembership = builder.enumType('ModelMembership', {
  description: "Where the row stands toward this subscription's filter and rights after the change.",
  values: ['ENTERED', 'STAYED', 'LEFT'] as const,
});

const ModelAudience = builder.enumType('ModelAudience', {
  values: {
    EVERYONE: { description: 'Everyone signed in.' },
    OWNER: { description: 'The user named in the owner column.' },
    CHANNEL: { description: 'Those who may read the channel named in the channel column.' },
    SERVICE: { description: 'Only roles admin and service.' },
  } as const,
});

const ModelEvent = builder.objectRef<ModelChange>('ModelEvent');
const WatchedModel = builder.objectRef<ModelRow>('WatchedModel');

ModelEvent.implement({
  ...common,
  fields: (t) => ({
    model: t.exposeString('model', {
      description:
        "A registered model's name: User, Channel, Message, Notification, Operation, Document, or a watched table's.",
    }),
    recordId: t.exposeID('recordId'),
    action: t.expose('action', { type: ModelAction }),
    membership: t.expose('membership', { type: ModelMembership }),
    changed: t.exposeStringList('changed', {
      description: 'Columns whose value changed; empty for CREATED and DELETED.',
    }),
    data: t.expose('data', {
      type: 'JSON',
      nullable: true,
      description: 'The row after the change in the columns that the model exposes; null when LEFT.',
    }),
    omitted: t.exposeStringList('omitted', {
      description:
        'Columns whose value is too large to be told, more than 8 KiB of JSON: `data` has `{ "omittedBytes": … }` there.',
    }),
    record: t.field({
      type: Entity,
      nullable: true,
      description:
        'The same as a typed object for built-in models, so that normalised caches update by themselves; null when LEFT or for a watched table.',
      resolve: ({ record }) => record,
    }),
    occurredAt: t.expose('occurredAt', { type: 'DateTime' }),
  }),
});

WatchedModel.implement({
  interfaces: [Entity],
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'audienceColumn' in value,
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    table: t.string({
      description: 'schema.table',
      resolve: ({ tableSchema, tableName }) => `${tableSchema}.${tableName}`,
    }),
    primaryKey: t.string({
      description: 'Of several columns, divided by commas.',
      resolve: ({ keyColumns }) => keyColumns.join(','),
    }),
    columns: t.exposeStringList('columns'),
    audience: t.expose('audience', { type: ModelAudience }),
    audienceColumn: t.exposeString('audienceColumn', { nullable: true }),
    disabledReason: t.exposeString('disabledReason', {
      nullable: true,
      description: 'Why nothing is told any more: the table or a column is gone. Watch it again.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

const WatchModelInput = builder.inputRef<NewWatch>('WatchModelInput').implement({
  fields: (t) => ({
    name: t.string({ description: "Defaults to the table's name in PascalCase." }),
    table: t.string({ required: true, description: 'table, or schema.table' }),
    primaryKey: t.string({ description: "Defaults to the table's primary key." }),
    columns: t.stringList({
      description:
        'Columns that subscribers may see; when left out, every column but those named like secrets (password, secret, token, hash).',
    }),
    audience: t.field({ type: ModelAudience, required: true }),
    audienceColumn: t.string({ description: 'Required for OWNER and CHANNEL.' }),
  }),
});

builder.queryField('watchedModels', (t) =>
  t.field({
    description: 'admin',
    type: [WatchedModel],
    complexity: { field: read, multiplier: 50 },
    resolve: watchedModels,
  }),
);

builder.mutationField('watchModel', (t) =>
  t.field({
    description: 'admin',
    type: WatchedModel,
    complexity: write,
    args: { input: t.arg({ type: WatchModelInput, required: true }) },
    resolve: watchModel,
  }),
);

builder.mutationField('unwatchModel', (t) =>
  t.id({
    description: 'admin',
    complexity: write,
    args: { name: t.arg.string({ required: true }) },
    resolve: unwatchModel,
  }),
);

builder.subscriptionField('modelUpdated', (t) =>
  t.field({
    ...common,
    description:
      "Changes of a model's rows that the viewer may see. `where`: an object of column to value, or to a list of values.",
    type: ModelEvent,
    args: {
      model: t.arg.string({ required: true }),
      ids: t.arg.idList(),
      actions: t.arg({ type: [ModelAction] }),
      where: t.arg({ type: 'JSON' }),
      after: t.arg({ type: 'Position' }),
    },
    subscribe: async (root, args, context) =>
      (await modelUpdated(root, args, context)) as unknown as AsyncIterable<ModelChange>,
    resolve: toModelEvent,
  }),
);
