import { asc, eq, getTableName, inArray, sql } from 'drizzle-orm';
import { v7 as uuid } from 'uuid';
import { findBroken, findTable, type TableShape } from '../db/catalogue.ts';
import { type Database, sqlState, type Transaction } from '../db/database.ts';
import { append } from '../db/outbox.ts';
import { realtimeModels } from '../db/tables.ts';
import { badInput, conflict, forbidden, notFound, Refusal } from '../errors.ts';
import { demandLength } from './input.ts';
import { builtInModels, demandAdmin, type ModelAudience } from './policy.ts';
import { modelTopic } from './topics.ts';
import { signedIn, type Viewer } from './viewer.ts';

/** A model as it is kept: one of ours, or a watched table. */
export type ModelRow = typeof realtimeModels.$inferSelect;

export interface NewWatch {
  readonly name?: string | null;
  /** `table`, or `schema.table` */
  readonly table: string;
  /** Names of columns, divided by commas. */
  readonly primaryKey?: string | null;
  readonly columns?: readonly string[] | null;
  readonly audience: ModelAudience;
  readonly audienceColumn?: string | null;
}

type Definition = Omit<ModelRow, 'id' | 'createdAt' | 'disabledReason'>;

const namePattern = /^[A-Za-z][A-Za-z0-9_]{0,39}$/;
const looksSecret = /password|secret|token|hash/i;
/** Columns that are told as text. */
const tooPrecise = new Set(['bigint', 'numeric']);
/** Whoever writes to a table waits behind whoever waits to watch it: not for long. */
const lockMs = 3_000;
const busyRetryMs = 1_000;
/** Of whoever changes what is watched. */
const watchLock = 7_204_113_319;

export type Watches = ReturnType<typeof createWatches>;

/** Which tables of others are live. */
export function createWatches({ database, committed }: WatchesOptions) {
  return {
    /**
     * Captures a table's changes from now on. The same name again, of the same table, replaces what was defined.
     * @throws NOT_FOUND for an unknown table, CONFLICT for a taken name, UNAVAILABLE while others use the table
     */
    async watch(viewer: Viewer | null, wanted: NewWatch): Promise<ModelRow> {
      demandAdmin(signedIn(viewer));
      const table = await tableNamed(database, wanted.table);
      const definition = define(table, wanted);
      const row = await alone(database, async (tx) => {
        const before = await findModel(tx, definition.name);
        if (before && !isOf(before, table))
          throw conflict(`The model "${before.name}" is that of another table.`);
        return before && isSame(before, definition) ? before : put(tx, table, definition);
      });
      committed();
      return row;
    },

    /** Whoever follows it is told to look elsewhere. Answers its id. */
    async unwatch(viewer: Viewer | null, name: string): Promise<string> {
      demandAdmin(signedIn(viewer));
      demandLength('name', name, 1_000);
      const id = await alone(database, async (tx) => {
        const row = await findModel(tx, name);
        if (!row) throw notFound(`The model "${name}"`);
        if (row.isBuiltIn)
          throw forbidden(`The model "${name}" is not watched by anybody: it is always there.`);
        await tx.delete(realtimeModels).where(eq(realtimeModels.id, row.id));
        await stop(tx, name);
        return row.id;
      });
      committed();
      return id;
    },

    /** The watched tables, by name; those that are disabled as well. */
    async list(viewer: Viewer | null): Promise<ModelRow[]> {
      demandAdmin(signedIn(viewer));
      return database.orm
        .select()
        .from(realtimeModels)
        .where(eq(realtimeModels.isBuiltIn, false))
        .orderBy(asc(realtimeModels.name));
    },

    /** Those of the names that are told at present. */
    async byNames(names: readonly string[]): Promise<Map<string, ModelRow>> {
      const rows = await database.orm
        .select()
        .from(realtimeModels)
        .where(inArray(realtimeModels.name, [...names]));
      return new Map(
        rows.filter(({ disabledReason }) => disabledReason === null).map((row) => [row.name, row]),
      );
    },

    /** Disables what can no longer be told, since its table or a column of it is gone. Answers what that was. */
    async disableBroken(): Promise<{ name: string; reason: string }[]> {
      const broken = await findBroken(database);
      for (const { id, name, reason } of broken) {
        await alone(database, async (tx) => {
          // It may have been watched anew meanwhile, as another row.
          const disabled = await tx
            .update(realtimeModels)
            .set({ disabledReason: reason })
            .where(eq(realtimeModels.id, id))
            .returning({ id: realtimeModels.id });
          if (disabled.length > 0) await stop(tx, name);
        });
      }
      if (broken.length > 0) committed();
      return broken;
    },
  };
}

/**
 * Has the changes of our own models captured, as the policy has them now. Several nodes may do so at once.
 * `isMigrated`: the tables themselves may be others than they were.
 */
export async function installBuiltInModels(database: Database, isMigrated: boolean): Promise<void> {
  const known = await database.orm.select().from(realtimeModels).where(eq(realtimeModels.isBuiltIn, true));
  for (const [name, { table, key, audience, audienceColumn, channelBy, columns }] of Object.entries(
    builtInModels,
  )) {
    const ours = { name, isBuiltIn: true, audience, audienceColumn, channelBy };
    const asked = { ...ours, keyColumns: [...key], columns: [...columns] };
    if (!isMigrated && known.some((row) => isSame(row, asked))) continue;
    const shape = (await findTable(database, null, getTableName(table)))!;
    const definition: Definition = {
      ...{ ...asked, ...typesOf(shape, columns) },
      ...{ tableSchema: shape.schema, tableName: shape.name },
    };
    await alone(database, async (tx) => {
      const before = await findModel(tx, name);
      if (!before || !isSame(before, definition)) await put(tx, shape, definition);
    });
  }
}

/** @throws NOT_FOUND, BAD_USER_INPUT for what is no table whose changes can be captured */
async function tableNamed(database: Database, given: string): Promise<TableShape> {
  demandLength('table', given, 200);
  const [schema, name] = given.includes('.')
    ? [given.slice(0, given.indexOf('.')), given.slice(given.indexOf('.') + 1)]
    : [null, given];
  const table =
    (await findTable(database, schema, name)) ??
    (await findTable(database, schema?.toLowerCase() ?? null, name.toLowerCase()));
  if (!table) throw notFound(`The table "${given}"`);
  const ours = new Set([
    ...Object.values(builtInModels).map(({ table }) => getTableName(table)),
    'channel_members',
  ]);
  const home = await findTable(database, null, getTableName(realtimeModels));
  const isOurs =
    table.schema === home!.schema && (table.name.startsWith('realtime_') || ours.has(table.name));
  const obstacle = isOurs ? 'it is one of ours' : table.obstacle;
  if (obstacle) throw badInput(`The table "${given}" cannot be watched: ${obstacle}.`);
  return table;
}

/** @throws BAD_USER_INPUT */
function define(table: TableShape, wanted: NewWatch): Definition {
  const name = wanted.name ?? pascalCase(table.name);
  if (!namePattern.test(name))
    throw badInput('A model\'s name has 1 to 40 letters, digits and "_", a letter first.');
  if (Object.hasOwn(builtInModels, name)) throw conflict(`The name "${name}" is that of a model of ours.`);
  const { audience } = wanted;
  const needsColumn = audience === 'OWNER' || audience === 'CHANNEL';
  const audienceColumn = wanted.audienceColumn ?? null;
  if (needsColumn && audienceColumn === null)
    throw badInput(`The audience ${audience} takes an \`audienceColumn\`.`);
  if (!needsColumn && audienceColumn !== null)
    throw badInput(`The audience ${audience} takes no \`audienceColumn\`.`);
  const columns =
    wanted.columns ??
    table.columns.map((column) => column.name).filter((column) => !looksSecret.test(column));
  if (columns.length === 0) throw badInput('`columns` are at least one.');
  demandColumns(table, [...columns, ...(audienceColumn === null ? [] : [audienceColumn])]);
  return {
    ...{ name, isBuiltIn: false, audience, audienceColumn, channelBy: 'name' as const },
    ...{
      tableSchema: table.schema,
      tableName: table.name,
      keyColumns: keyOf(table, wanted.primaryKey ?? null),
    },
    ...typesOf(table, [...new Set(columns)]),
  };
}

/** What tells one row from another: the primary key, or another that every row has. */
function keyOf(table: TableShape, wanted: string | null): string[] {
  if (wanted === null) {
    const [primary] = table.keys;
    if (!primary) throw badInput(`The table "${table.name}" has no primary key.`);
    return [...primary];
  }
  const columns = wanted.split(',').map((column) => column.trim());
  demandColumns(table, columns);
  const isKey = table.keys.some(
    (key) => key.length === columns.length && columns.every((column) => key.includes(column)),
  );
  if (!isKey) throw badInput('`primaryKey` is not unique, or may be missing.');
  return columns;
}

function demandColumns({ name, columns }: TableShape, wanted: readonly string[]): void {
  const unknown = wanted.find((column) => !columns.some((known) => known.name === column));
  if (unknown !== undefined) throw badInput(`The table "${name}" has no column "${unknown}".`);
}

function typesOf(table: TableShape, columns: readonly string[]) {
  const types = new Map(table.columns.map(({ name, type }) => [name, type]));
  return {
    columns: [...columns],
    columnTypes: columns.map((column) => types.get(column)!),
    textColumns: table.columns.filter(({ type }) => tooPrecise.has(type)).map(({ name }) => name),
  };
}

const pascalCase = (name: string) =>
  name
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');

async function findModel(queryable: Pick<Transaction, 'select'>, name: string): Promise<ModelRow | null> {
  const [row] = await queryable.select().from(realtimeModels).where(eq(realtimeModels.name, name));
  return row ?? null;
}

const isOf = (row: ModelRow, table: TableShape) =>
  row.tableSchema === table.schema && row.tableName === table.name;

function isSame(
  { id, createdAt, disabledReason, ...row }: ModelRow,
  definition: Partial<Definition>,
): boolean {
  const keys = Object.keys(definition) as (keyof Definition)[];
  return (
    disabledReason === null &&
    keys.every((key) => JSON.stringify(row[key]) === JSON.stringify(definition[key]))
  );
}

/** Whoever followed it by another definition, or from before it was captured, is to begin anew. */
async function put(tx: Transaction, { relation }: TableShape, definition: Definition): Promise<ModelRow> {
  const { name, keyColumns, columns, audienceColumn } = definition;
  await tx.delete(realtimeModels).where(eq(realtimeModels.name, name));
  const [row] = await tx
    .insert(realtimeModels)
    .values({ id: uuid(), ...definition })
    .returning();
  const used = audienceColumn === null ? columns : [...columns, audienceColumn];
  await tx.execute(
    sql`select realtime_watch(${name}, ${relation}::regclass, ${textArray(keyColumns)}, ${textArray(used)})`,
  );
  append(tx, reset(name, 'model.watched'));
  return row!;
}

async function stop(tx: Transaction, name: string): Promise<void> {
  await tx.execute(sql`select realtime_unwatch(${name})`);
  append(tx, reset(name, 'model.unwatched'));
}

/** Nothing continues across it. */
function reset(name: string, type: 'model.watched' | 'model.unwatched') {
  const topic = modelTopic(name);
  const recipients = [{ topic, type: 'all' as const, id: null }];
  return { kind: 'model', type, recipients, subject: topic, erases: true, control: true, payload: {} };
}

const textArray = (texts: readonly string[]) =>
  sql`array(select json_array_elements_text(${JSON.stringify(texts)}::text::json))`;

/** @throws UNAVAILABLE while others use the table, BAD_USER_INPUT where it is not ours to watch */
async function alone<Result>(
  database: Database,
  work: (tx: Transaction) => Promise<Result>,
): Promise<Result> {
  try {
    return await database.transaction(async (tx) => {
      await tx.execute(sql.raw(`set local lock_timeout = ${lockMs}`));
      await tx.execute(sql`select pg_advisory_xact_lock(${watchLock})`);
      return work(tx);
    });
  } catch (error) {
    const state = sqlState(error);
    if (state === '55P03') throw new Refusal('UNAVAILABLE', 'The table is in use: try again.', busyRetryMs);
    if (state === '42501') throw badInput('The database does not let this server watch the table.');
    throw error;
  }
}

interface WatchesOptions {
  readonly database: Database;
  committed(): void;
}
