import {
  ChannelDocument,
  type ChannelPartsFragment,
  ChannelUpdatedDocument,
  type MessagePartsFragment,
  MessageUpdatedDocument,
  ModelUpdatedDocument,
  NotificationDocument,
  type NotificationPartsFragment,
  NotificationUpdatedDocument,
  UserDocument,
  type UserPartsFragment,
  UserUpdatedDocument,
} from '../documents/graphql.ts';
import type { RealtimeClient, Request } from '../types.ts';
import { type Stream, streamOf } from './follow.ts';
import type { ListChange } from './list-state.ts';

/** The rows of the server's own models. */
export interface BuiltInModels {
  readonly User: UserPartsFragment;
  readonly Channel: ChannelPartsFragment;
  readonly Message: MessagePartsFragment;
  readonly Notification: NotificationPartsFragment;
}

/** Which rows of a model. */
export interface RowFilter {
  /** By their record ids. */
  readonly ids?: readonly string[] | undefined;
  /** Column to value, or to a list of values of which one has to be the column's. */
  readonly where?: Readonly<Record<string, unknown>> | undefined;
}

/** A change as `modelUpdated` tells it, with what was selected of its row. */
export interface ModelChange {
  readonly recordId: string;
  readonly membership: 'ENTERED' | 'STAYED' | 'LEFT';
  /** Columns whose value was too large to be told. */
  readonly omitted?: readonly string[];
  readonly data?: unknown;
  readonly record?: object | null;
}

interface ModelVariables {
  readonly ids?: string[];
  readonly where?: unknown;
}

/** Whatever document is subscribed to, this is what has to be in its answer. */
export type ModelChanges<Change extends ModelChange> = { readonly modelUpdated: Change };

const changesOf = {
  User: UserUpdatedDocument,
  Channel: ChannelUpdatedDocument,
  Message: MessageUpdatedDocument,
  Notification: NotificationUpdatedDocument,
};

export const isBuiltIn = (model: string): model is keyof BuiltInModels => Object.hasOwn(changesOf, model);

/** The changes of a model of the server's own, as its type; of a watched table in its columns. */
export function modelStream<Row>(
  model: string,
  { ids, where }: RowFilter,
  told: (change: ListChange<Row>) => void,
): Stream {
  const variables: ModelVariables = { ...(ids && { ids: [...ids] }), ...(where && { where }) };
  if (isBuiltIn(model)) {
    const request: Request<ModelChanges<ModelChange>, ModelVariables> = {
      document: changesOf[model],
      variables,
    };
    return changeStream(request, ({ record }) => record as Row | null, told);
  }
  const request: Request<ModelChanges<ModelChange>, ModelVariables & { model: string }> = {
    document: ModelUpdatedDocument,
    variables: { ...variables, model },
  };
  return changeStream(request, ({ data }) => data as Row | null, told);
}

/** The changes that a subscription tells, and what their rows are made of. */
export function changeStream<Change extends ModelChange, Variables, Row>(
  request: Request<ModelChanges<Change>, Variables>,
  rowOf: (change: Change) => Row | null,
  told: (change: ListChange<Row>) => void,
): Stream {
  return streamOf(request, ({ data, errors }) => {
    if (!data || errors) return false;
    const { modelUpdated: change } = data;
    // A typed row would have a marker in the place of a value.
    if (change.record && change.omitted?.length) return false;
    const row = change.membership === 'LEFT' ? null : rowOf(change);
    told({ recordId: change.recordId, membership: change.membership, row });
    return true;
  });
}

/** Reads one row of a model of the server's own. Messages are read by their channel alone. */
export async function readBuiltIn(
  client: RealtimeClient,
  model: Exclude<keyof BuiltInModels, 'Message'>,
  id: string,
  signal: AbortSignal,
): Promise<object | null> {
  switch (model) {
    case 'User':
      return (await client.execute({ document: UserDocument, variables: { id } }, { signal })).user;
    case 'Channel':
      return (await client.execute({ document: ChannelDocument, variables: { name: id } }, { signal }))
        .channel;
    case 'Notification':
      return (await client.execute({ document: NotificationDocument, variables: { id } }, { signal }))
        .notification;
  }
}
