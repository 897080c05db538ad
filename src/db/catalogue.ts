import type { Database } from './database.ts';

/** A table as the database knows it. */
export interface TableShape {
  readonly schema: string;
  readonly name: string;
  /** As a statement names it, quoted. */
  readonly relation: string;
  /** Why its changes cannot be captured; null: they can. */
  readonly obstacle: string | null;
  readonly columns: readonly ColumnShape[];
  /** The columns of each key that every row has: the primary key, if there is one, first. */
  readonly keys: readonly (readonly string[])[];
}

export interface ColumnShape {
  readonly name: string;
  /** That of a domain is the one below it, and that of an enumeration `enum`. */
  readonly type: string;
}

/** SQL: the type of column `a`, under the name that {@link ColumnShape} has for it. Domains may be of domains. */
const columnType = `(with recursive below as (
                       select oid, typtype, typbasetype from pg_type where oid = a.atttypid
                       union all
                       select t.oid, t.typtype, t.typbasetype from below b join pg_type t on t.oid = b.typbasetype)
                     select case typtype when 'e' then 'enum' else format_type(oid, null) end from below where typtype <> 'd')`;

/** SQL: why the changes of table `c` of schema `n` cannot be captured. */
const obstacle = `case
           when n.nspname in ('pg_catalog', 'information_schema', 'pg_toast') then 'it is the database''s own'
           when c.relkind in ('v', 'm') then 'it is a view'
           when c.relkind = 'f' then 'it is a foreign table'
           when c.relkind = 'p' or c.relispartition then 'it is partitioned, and what is written to one part is not seen at the whole'
           when c.relpersistence = 't' then 'it is temporary'
           when exists (select from pg_inherits where inhparent = c.oid or inhrelid = c.oid) then 'it inherits or is inherited from'
         end`;

/** A table by its exact name; null when there is none. Without a schema it is looked for where ours are. */
export async function findTable(
  database: Database,
  schema: string | null,
  name: string,
): Promise<TableShape | null> {
  const [row] = await database.query<{ shape: string }>(findShape, [schema, name]);
  return row ? (JSON.parse(row.shape) as TableShape) : null;
}

const findShape = `
select json_build_object(
         'schema', n.nspname, 'name', c.relname, 'relation', format('%I.%I', n.nspname, c.relname),
         'obstacle', ${obstacle},
         'columns', (select coalesce(json_agg(json_build_object('name', a.attname, 'type', ${columnType}) order by a.attnum), '[]')
                       from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
         'keys', (select coalesce(json_agg(k.columns order by k.indisprimary desc, k.indexrelid), '[]') from (
                    select i.indexrelid, i.indisprimary, json_agg(a.attname order by p.place) as columns
                      from pg_index i
                           cross join lateral unnest(i.indkey::int[]) with ordinality p(attnum, place)
                           join pg_attribute a on a.attrelid = c.oid and a.attnum = p.attnum
                     where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
                       and p.place <= i.indnkeyatts
                     group by i.indexrelid, i.indisprimary having bool_and(a.attnotnull)) k))::text as shape
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')
   and case when $1::text is null then pg_table_is_visible(c.oid) else n.nspname = $1 end`;

/** Watched models that can no longer be told, and why. */
export async function findBroken(
  database: Database,
): Promise<{ id: string; name: string; reason: string }[]> {
  return database.query(findBrokenModels);
}

const findBrokenModels = `
select m.id::text as id, m.name, coalesce(case when w.relation is null then 'The table is gone.' end,
                        'The column "' || gone.name || '" is gone.',
                        'The type of the column "' || other.name || '" has changed.',
                        'The table cannot be watched any more: ' || present.obstacle || '.') as reason
  from realtime_models m
       left join lateral (select relation from realtime_watched(m.name) relation limit 1) w on true
       left join lateral (
         select ${obstacle} as obstacle from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where c.oid = w.relation) present on true
       left join lateral (
         select used.name from unnest(m.columns || m.key_columns || array_remove(array[m.audience_column], null)) used(name)
          where not exists (select from pg_attribute a
                             where a.attrelid = w.relation and a.attname = used.name and not a.attisdropped) limit 1) gone on true
       left join lateral (
         select known.name from unnest(m.columns, m.column_types) known(name, type)
           join pg_attribute a on a.attrelid = w.relation and a.attname = known.name
          where ${columnType} <> known.type limit 1) other on true
 where m.disabled_reason is null and not m.is_built_in
   and (w.relation is null or gone.name is not null or other.name is not null or present.obstacle is not null)`;
