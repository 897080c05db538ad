import { getTableColumns, type Table } from 'drizzle-orm';
import type { JournalEvent } from '../realtime/event.ts';
import {
  type Image,
  imageAfter,
  type ModelAction,
  type ModelFilter,
  type ModelMembership,
  type ModelPayload,
  recordIdOf,
} from './model-filter.ts';
import { modelOfSubject } from './topics.ts';

/** A change of a row as a subscription is told of it. */
export interface ModelChange {
  readonly model: string;
  readonly recordId: string;
  readonly action: ModelAction;
  readonly membership: ModelMembership;
  readonly changed: readonly string[];
  /** Columns of `data` with a marker in the place of a value that was too large. */
  readonly omitted: readonly string[];
  readonly data: Image | null;
  /** The row of a model of ours. */
  readonly record: { readonly id: string } | null;
  readonly occurredAt: Date;
}

/** What is needed of a model to tell its changes. */
export interface ShownModel {
  readonly name: string;
  readonly columns: ReadonlyMap<string, string>;
  readonly audienceColumn: string | null;
  /** Of a model of ours. */
  readonly table?: Table | undefined;
}

/** A change that is wanted, as those who asked by this filter are told of it. */
export function changeOf(event: JournalEvent, model: ShownModel, filter: ModelFilter): ModelChange {
  const payload = event.payload as ModelPayload;
  const membership = filter.membership(payload)!;
  // What has been deleted since, or has left the audience, is told without content.
  const data = membership === 'LEFT' || event.erasedBy !== undefined ? null : imageAfter(payload);
  return {
    model: model.name,
    recordId: recordIdOf(payload),
    action: payload.action,
    membership,
    changed: changedColumns(payload, model),
    omitted: data ? (payload.omitted ?? []).filter((column) => isMarker(data[column])) : [],
    data,
    record: data && model.table ? recordOf(model.table, data) : null,
    occurredAt: new Date(event.writtenAt),
  };
}

/** A change as everyone is told of it who follows the model and asks for nothing more. */
export interface PlainChange {
  readonly model: string;
  readonly recordId: string;
  readonly action: ModelAction;
  /** The row after the change; null where it is gone, or no longer for those who are told. */
  readonly data: Image | null;
  readonly occurredAt: Date;
}

export function plainChangeOf({ subject, payload, erasedBy, writtenAt }: JournalEvent): PlainChange {
  const change = payload as ModelPayload;
  return {
    model: modelOfSubject(subject!),
    recordId: recordIdOf(change),
    action: change.action,
    data: erasedBy === undefined ? imageAfter(change) : null,
    occurredAt: new Date(writtenAt),
  };
}

/** Of a row that has changed hands only that it has. */
function changedColumns(
  { action, old, side }: ModelPayload,
  { columns, audienceColumn }: ShownModel,
): string[] {
  if (action !== 'UPDATED') return [];
  if (side) return audienceColumn !== null && columns.has(audienceColumn) ? [audienceColumn] : [];
  return [...columns.keys()].filter((column) => Object.hasOwn(old ?? {}, column));
}

const isMarker = (value: unknown) => typeof value === 'object' && value !== null && 'omittedBytes' in value;

/** The row as drizzle would answer it. */
function recordOf(table: Table, image: Image): { id: string } {
  const row: Record<string, unknown> = {};
  for (const [key, column] of Object.entries(getTableColumns(table))) {
    const value = image[column.name] ?? null;
    row[key] = column.dataType === 'date' && value !== null ? new Date(value as string) : value;
  }
  return row as { id: string };
}
