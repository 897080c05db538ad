CREATE TABLE "realtime_models" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"is_built_in" boolean DEFAULT false NOT NULL,
	"table_schema" text NOT NULL,
	"table_name" text NOT NULL,
	"key_columns" text[] NOT NULL,
	"columns" text[] NOT NULL,
	"column_types" text[] NOT NULL,
	"text_columns" text[] NOT NULL,
	"audience" text NOT NULL,
	"audience_column" text,
	"channel_by" text DEFAULT 'name' NOT NULL,
	"disabled_reason" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "realtime_models_name_unique" UNIQUE("name"),
	CONSTRAINT "realtime_models_audience" CHECK ("realtime_models"."audience" in ('EVERYONE', 'OWNER', 'CHANNEL', 'SERVICE')),
	CONSTRAINT "realtime_models_channel_by" CHECK ("realtime_models"."channel_by" in ('name', 'id', 'self'))
);
--> statement-breakpoint
ALTER TABLE "realtime_dead_letters" ADD COLUMN "rows" json;--> statement-breakpoint
ALTER TABLE "realtime_dead_letters" ADD COLUMN "changes" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "realtime_outbox" ADD COLUMN "rows" json;--> statement-breakpoint
ALTER TABLE "realtime_outbox" ADD COLUMN "changes" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
-- Rows wait there for milliseconds: compressing them would cost more than it saves.
ALTER TABLE "realtime_outbox" ALTER COLUMN "rows" SET STORAGE EXTERNAL;
--> statement-breakpoint
ALTER TABLE "realtime_outbox" SET (toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 1000, toast.autovacuum_vacuum_cost_delay = 0);
--> statement-breakpoint
-- A row without some of its columns. An escape that no text can hold may stand in a column of type json.
CREATE FUNCTION "realtime_without"(r json, hidden text[]) RETURNS json LANGUAGE sql IMMUTABLE
  SET search_path = pg_catalog, pg_temp AS $$
  select json_object_agg(name, value) from json_each(replace(r::text, '\u0000', '\ufffd')::json) column_of(name, value) where name <> all(hidden)
$$;
--> statement-breakpoint
-- Captures what a statement changed: its rows go to the outbox as they are, some hundred in one row, in the
-- transaction of the change and with as little work as can be. It takes no lock, and nothing that a table may hold
-- or lose makes it fail: what the rows mean is found out when they are moved. With the rights of who watches and
-- not of who writes, and alike in every session.
--
--   arguments   the model; the columns that are left out, if any; whether one is of type json, which cannot be read as
--               jsonb whatever it holds; the columns of the key
CREATE FUNCTION "realtime_capture"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET intervalstyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1
  SET plan_cache_mode = 'force_generic_plan' AS $capture$
-- A table may have columns of any name: only the innermost selects see them.
#variable_conflict use_variable
declare
  model constant text := TG_ARGV[0];
  hidden constant text[] := nullif(TG_ARGV[1], '');
  has_json constant boolean := TG_ARGV[2];
  key constant text[] := TG_ARGV[3:];
begin
  if TG_OP = 'INSERT' then
    insert into public.realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, subject, payload, rows, changes)
    select gen_random_uuid(), '{}', '{}', '{}', 'rows', TG_OP, model, '{}', json_agg(c.j), count(*)
      from (select case when hidden is null then row_to_json(t.*) when has_json then public.realtime_without(row_to_json(t.*), hidden)
                        else (to_jsonb(t.*) - hidden)::json end as j,
                   (row_number() over () - 1) / 200 as part
              from new_rows t) c group by c.part order by c.part;
  elsif TG_OP = 'DELETE' then
    insert into public.realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, subject, payload, rows, changes)
    select gen_random_uuid(), '{}', '{}', '{}', 'rows', TG_OP, model, '{}', json_agg(c.j), count(*)
      from (select case when hidden is null then row_to_json(t.*) when has_json then public.realtime_without(row_to_json(t.*), hidden)
                        else (to_jsonb(t.*) - hidden)::json end as j,
                   (row_number() over () - 1) / 200 as part
              from old_rows t) c group by c.part order by c.part;
  elsif TG_OP = 'UPDATE' then
    -- Before and after are paired by the key; a row whose key changed is another one. An escape that no text can
    -- hold may stand in a column of type json.
    insert into public.realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, subject, payload, rows, changes)
    select gen_random_uuid(), '{}', '{}', '{}', 'rows', TG_OP, model, '{}', json_agg(c.pair), count(*)
      from (select json_build_array(o.j, n.j) as pair, (row_number() over () - 1) / 200 as part
              from (select r.j, (select case when bool_and(r.readable ->> k.name is not null) then array_agg(r.readable ->> k.name) end
                                   from unnest(key) k(name)) as k
                      from (select u.j, replace(u.j::text, '\u0000', '\ufffd')::json as readable
                              from (select case when hidden is null then row_to_json(t.*) when has_json then public.realtime_without(row_to_json(t.*), hidden)
                        else (to_jsonb(t.*) - hidden)::json end as j
                                      from old_rows t offset 0) u offset 0) r) o
                   full join
                   (select r.j, (select case when bool_and(r.readable ->> k.name is not null) then array_agg(r.readable ->> k.name) end
                                   from unnest(key) k(name)) as k
                      from (select u.j, replace(u.j::text, '\u0000', '\ufffd')::json as readable
                              from (select case when hidden is null then row_to_json(t.*) when has_json then public.realtime_without(row_to_json(t.*), hidden)
                        else (to_jsonb(t.*) - hidden)::json end as j
                                      from new_rows t offset 0) u offset 0) r) n
                   on n.k = o.k) c
     group by c.part order by c.part;
  else
    -- Nobody knows which rows there were: whoever follows the model is to look anew.
    insert into public.realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, subject, erases, control, payload)
    values (gen_random_uuid(), array['model:' || model], '{all}', '{""}', 'model', 'model.truncated', 'model:' || model, true, true, '{}');
  end if;
  return null;
end
$capture$;
--> statement-breakpoint
-- Whoever may attach it to a table of theirs could tell what is not so.
REVOKE EXECUTE ON FUNCTION "realtime_capture"() FROM PUBLIC;
--> statement-breakpoint
-- Topics are keys of indexes: a longer tail is hashed, as it is where topics are made elsewhere.
CREATE FUNCTION "realtime_topic"(topic text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  select case when octet_length(topic) <= 256 then topic
              else left(topic, 40) || '#' || encode(sha256(convert_to(topic, 'UTF8')), 'hex') end
$$;
--> statement-breakpoint
-- A row in the columns that may be seen, numbers that JavaScript cannot hold as text.
CREATE FUNCTION "realtime_image"(r jsonb, columns text[], text_columns text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  select jsonb_object_agg(name, case when name = any(text_columns) then to_jsonb(r ->> name) else r -> name end)
    from unnest(columns) name where r is not null
$$;
--> statement-breakpoint
-- Values of more than 8 KiB as a marker, and which they are.
CREATE FUNCTION "realtime_without_large"(payload jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  select payload || jsonb_object_agg(side, image) || jsonb_build_object('omitted', (
           select coalesce(jsonb_agg(distinct name), '[]')
             from (values (payload -> 'old'), (payload -> 'new')) sides(image)
                  cross join lateral jsonb_each(coalesce(sides.image, '{}')) columns(name, value)
            where octet_length(value::text) > 8192))
    from (select side, (
            select jsonb_object_agg(name, case when octet_length(value::text) > 8192
                                               then jsonb_build_object('omittedBytes', octet_length(value::text)) else value end)
              from jsonb_each(payload -> side) columns(name, value)) as image
            from unnest(array['old', 'new']) side where payload ? side) sides
$$;
--> statement-breakpoint
-- The events of some rows that wait in the outbox: for whom, and what of them may be seen. Which rows nobody may
-- see, and changes that nobody may see, make none.
CREATE FUNCTION "realtime_events_of"(source uuid, op text, model text, rows json)
  RETURNS TABLE (place bigint, id uuid, event_type text, topic text, recipient_type text, recipient_id text, subject text,
                 erases boolean, payload jsonb)
  LANGUAGE plpgsql STABLE SET plan_cache_mode = 'force_generic_plan' AS $events$
-- Planned once: planning it costs a hundred times what a row does.
#variable_conflict use_column
declare
  m realtime_models;
  base text := 'model:' || model;
  -- An escape that no text can hold may stand in a column of type json.
  data jsonb := replace(rows::text, '\u0000', '\ufffd')::jsonb;
  -- Channels by what the rows have of them: read only where they are needed, since they may be locked.
  places jsonb;
  named text[];
begin
  select * into m from realtime_models where name = model and disabled_reason is null;
  if not found then return; end if;
  if m.audience = 'CHANNEL' and m.channel_by <> 'self' then
    named := array(select distinct value #>> '{}' from jsonb_path_query(data, ('$[*].' || to_json(m.audience_column)::text)::jsonpath) value);
    if m.channel_by = 'name' then
      select jsonb_object_agg(c.name, jsonb_build_object('id', c.id, 'kind', c.kind, 'name', c.name)) into places
        from channels c where c.name = any(named);
    else
      select jsonb_object_agg(c.id, jsonb_build_object('id', c.id, 'kind', c.kind, 'name', c.name)) into places
        from channels c where c.id = any(named::uuid[]);
    end if;
  end if;
  return query
  with changed as (
    select c.place, case op when 'INSERT' then null when 'DELETE' then c.r else nullif(c.r -> 0, 'null') end as o,
           case op when 'INSERT' then c.r when 'DELETE' then null else nullif(c.r -> 1, 'null') end as n
      from jsonb_array_elements(data) with ordinality c(r, place)),
  sides as (
    select c.place, s.side, s.r, realtime_image(s.r, m.columns, m.text_columns) as image,
           (select jsonb_agg(case when k.name = any(m.text_columns) then to_jsonb(s.r ->> k.name) else s.r -> k.name end order by k.nth)
              from unnest(m.key_columns) with ordinality k(name, nth)) as key
      from changed c cross join lateral (values ('old', c.o), ('new', c.n)) s(side, r) where s.r is not null),
  placed as (
    select s.place, s.side, s.image, s.key,
           case m.audience
             when 'OWNER' then realtime_topic(base || '/owner/' || (s.r ->> m.audience_column))
             when 'CHANNEL' then case when c.channel ->> 'kind' = 'PUBLIC' then base || '/public'
                                      else base || '/channel/' || (c.channel ->> 'id') end
             else base end as topic,
           case m.audience when 'OWNER' then s.r ->> m.audience_column
                           when 'CHANNEL' then c.channel ->> 'name' else '' end as recipient
      from sides s
           cross join lateral (select case m.channel_by when 'self' then s.r else places -> (s.r ->> m.audience_column) end as channel) c),
  pairs as (
    select place, count(*) = 2 as is_update,
           (array_agg(image) filter (where side = 'old'))[1] as o, (array_agg(image) filter (where side = 'new'))[1] as n,
           (array_agg(key) filter (where side = 'old'))[1] as o_key, (array_agg(key) filter (where side = 'new'))[1] as n_key,
           (array_agg(topic) filter (where side = 'old'))[1] as o_topic, (array_agg(topic) filter (where side = 'new'))[1] as n_topic,
           (array_agg(recipient) filter (where side = 'old'))[1] as o_recipient,
           (array_agg(recipient) filter (where side = 'new'))[1] as n_recipient
      from placed group by place),
  told as (
    select p.place, e.*
      from pairs p cross join lateral (
        select 1 as nth, 'model.created' as event_type, false as erases, p.n_topic as topic, p.n_recipient as recipient, p.n_key as key,
               jsonb_build_object('action', 'CREATED', 'key', p.n_key, 'new', p.n) as payload
         where not p.is_update and p.n is not null
        union all
        select 1, 'model.deleted', true, p.o_topic, p.o_recipient, p.o_key,
               jsonb_build_object('action', 'DELETED', 'key', p.o_key, 'old', p.o)
         where not p.is_update and p.o is not null
        union all
        -- A message that is deleted stays as a row, without its content.
        select 1, 'model.updated', m.is_built_in and p.n ->> 'deleted_at' is not null and p.o ->> 'deleted_at' is null,
               p.n_topic, p.n_recipient, p.n_key,
               jsonb_build_object('action', 'UPDATED', 'key', p.n_key, 'new', p.n, 'old', (
                 select jsonb_object_agg(b.name, b.value) from jsonb_each(p.o) b(name, value) where p.n -> b.name is distinct from b.value))
         where p.is_update and p.n_topic = p.o_topic and p.n <> p.o
        union all
        -- It leaves one audience, which is not to be shown again what it was; and it enters another.
        select 1, 'model.updated', true, p.o_topic, p.o_recipient, p.o_key,
               jsonb_build_object('action', 'UPDATED', 'side', 'LEFT', 'key', p.o_key, 'old', p.o)
         where p.is_update and p.n_topic is distinct from p.o_topic
        union all
        select 2, 'model.updated', false, p.n_topic, p.n_recipient, p.n_key,
               jsonb_build_object('action', 'UPDATED', 'side', 'ENTERED', 'key', p.n_key, 'new', p.n)
         where p.is_update and p.n_topic is distinct from p.o_topic) e
     where e.topic is not null and not e.key @> '[null]')
  select row_number() over (order by t.place, t.nth),
         -- Who begins meanwhile knows what waits by the id of the whole.
         overlay(source::text placing lpad(to_hex(row_number() over (order by t.place, t.nth)), 4, '0') from 33)::uuid,
         t.event_type, t.topic,
         case m.audience when 'OWNER' then 'user' when 'CHANNEL' then 'channel' else 'all' end, t.recipient,
         base || ':' || case when octet_length(t.key::text) <= 200 then t.key::text
                             else encode(sha256(convert_to(t.key::text, 'UTF8')), 'hex') end,
         t.erases, case when pg_column_size(t.payload) > 8192 then realtime_without_large(t.payload) else t.payload end
    from told t;
end
$events$;
--> statement-breakpoint
-- The tables that a model's changes are captured of: one, or none.
CREATE FUNCTION "realtime_watched"(model text) RETURNS SETOF regclass LANGUAGE sql STABLE AS $$
  select distinct tgrelid::regclass from pg_trigger
   where tgfoid = 'realtime_capture'::regproc
     and convert_from(substring(tgargs from 1 for position('\x00'::bytea in tgargs) - 1), 'UTF8') = model
$$;
--> statement-breakpoint
-- No longer captures the changes of a model.
CREATE FUNCTION "realtime_unwatch"(model text) RETURNS void LANGUAGE plpgsql AS $unwatch$
declare
  relation regclass;
  kind text;
begin
  for relation in select realtime_watched(model) loop
    foreach kind in array array['insert', 'update', 'delete', 'truncate'] loop
      execute format('drop trigger if exists %I on %s', 'realtime_' || model || '_' || kind, relation);
    end loop;
  end loop;
end
$unwatch$;
--> statement-breakpoint
-- Captures the changes of a model from now on. One trigger for each kind of statement, so that one of many rows is
-- captured at once.
CREATE FUNCTION "realtime_watch"(model text, relation regclass, key_columns text[], used_columns text[]) RETURNS void LANGUAGE plpgsql AS $watch$
declare
  known text[] := array(select attname::text from pg_attribute where attrelid = relation and attnum > 0 and not attisdropped);
  hidden text[] := array(select name from unnest(known) name where name <> all(used_columns || key_columns));
  has_json boolean := exists (
    select from pg_attribute where attrelid = relation and attnum > 0 and not attisdropped and atttypid = 'json'::regtype);
  arguments text := (select string_agg(quote_literal(argument), ', ' order by place)
                       from unnest(array[model, case when hidden = '{}' then '' else hidden::text end, has_json::text] || key_columns)
                            with ordinality given(argument, place));
begin
  perform realtime_unwatch(model);
  execute format('create trigger %I after insert on %s referencing new table as new_rows for each statement execute function realtime_capture(%s)',
                 'realtime_' || model || '_insert', relation, arguments);
  execute format('create trigger %I after update on %s referencing old table as old_rows new table as new_rows for each statement execute function realtime_capture(%s)',
                 'realtime_' || model || '_update', relation, arguments);
  execute format('create trigger %I after delete on %s referencing old table as old_rows for each statement execute function realtime_capture(%s)',
                 'realtime_' || model || '_delete', relation, arguments);
  execute format('create trigger %I after truncate on %s for each statement execute function realtime_capture(%s)',
                 'realtime_' || model || '_truncate', relation, arguments);
end
$watch$;
