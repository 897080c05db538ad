-- How the columns of a row are told where it cannot be told as it stands: a type of another's, other than a domain, may
-- have or get a cast to JSON, and making JSON of a value would call that with the rights of who watches. Such columns
-- are written by the output function of their type, which is a superuser's, lists of them as lists. Null: there are none.
-- What PostgreSQL came with has ids below 16384 and is nobody's; who owns a type alone makes casts of it.
CREATE FUNCTION "realtime_told"(names text[], types oid[], hidden text[]) RETURNS text LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp SET plan_cache_mode = 'force_generic_plan' AS $told$
-- Planned once: planning it costs a hundred times what a column does.
begin
  return (
  -- All that a column is made of: what is below a domain, in a list, in a composite.
  with recursive part(place, type, is_whole) as (
    select place, type, true from unnest(types) with ordinality given(type, place) where type >= 16384
    union
    select p.place, below.type, p.is_whole and t.typtype = 'd'
      from part p
           cross join lateral (select * from pg_type where oid = p.type offset 0) t
           cross join lateral (
             select t.typbasetype union all select t.typelem
             union all select a.atttypid from pg_attribute a
                        where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) below(type)
     where below.type >= 16384),
  known as (
    select p.place, p.is_whole, t.oid is null as is_unknown, t.typtype = 'd' as is_domain, t.typdelim = ',' as has_commas,
           t.typsubscript = 'array_subscript_handler'::regproc as is_list,
           coalesce((select r.rolsuper or r.rolname = current_user from pg_roles r where r.oid = t.typowner), false)
             and (select count(*) = 0 from pg_cast c where c.castsource = t.oid and c.casttarget = 'json'::regtype) as is_trusted
      from part p left join lateral (select * from pg_type where oid = p.type offset 0) t on true),
  foreign_column as (
    select place, coalesce(bool_or(is_whole and is_list and has_commas), false) as is_list
      from known group by place having bool_or(is_unknown or not (is_domain or is_list or is_trusted)))
  select string_agg(case when f.place is null then format('t.%1$I', name)
                         else format('case when num_nulls(t.%1$I) = 0 then format(%2$L, t.%1$I)%3$s end as %1$I', name, '%s',
                                     case when f.is_list then '::text[]' end) end, ', ' order by given.place)
    from unnest(names) with ordinality given(name, place) left join foreign_column f using (place)
   where (hidden is null or name <> all(hidden)) and exists (select from foreign_column));
end
$told$;
--> statement-breakpoint
-- As it was made in 0005, but that it runs nobody's code, and that rows that are large are fewer in one row: a value
-- of the database has at most a gigabyte, and one as jsonb a quarter of that.
CREATE OR REPLACE FUNCTION "realtime_capture"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET intervalstyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1
  SET plan_cache_mode = 'force_generic_plan' AS $capture$
-- A table may have columns of any name: only the innermost selects see them.
#variable_conflict use_variable
declare
  model constant text := TG_ARGV[0];
  hidden constant text[] := nullif(TG_ARGV[1], '');
  has_json constant boolean := TG_ARGV[2];
  key constant text[] := TG_ARGV[3:];
  source constant text := case TG_OP when 'DELETE' then 'old_rows' else 'new_rows' end;
  names text[];
  types oid[];
  told text;
  keyed text;
begin
  -- While the statement lasts, nobody else gives a column another type. But what a transaction with a snapshot of its
  -- own sees of the catalogue may be older than the table is: there the table itself is asked, and asking it is dear.
  if TG_OP <> 'TRUNCATE' then
    if current_setting('transaction_isolation') <> 'read committed' then
      execute format('select array(select json_object_keys(row_to_json(t.*))) from (select t.* from (select) one left join %I t on false) t', source) into names;
      execute (select format('select array[%s]::oid[] from (select) one left join %I t on false', string_agg(format('pg_typeof(t.%I)', name), ', '), source)
                 from unnest(names) name) into types;
    elsif exists (select from pg_attribute where attrelid = TG_RELID and attnum > 0 and atttypid >= 16384) then
      -- Domains of what PostgreSQL came with, and enumerations of ours, are known at a glance.
      if exists (
        select from pg_attribute a where a.attrelid = TG_RELID and a.attnum > 0 and a.atttypid >= 16384 and not coalesce((
          select t.typbasetype between 1 and 16383
                 or t.typtype = 'e' and (select rolsuper or rolname = current_user from pg_roles where oid = t.typowner)
                    and not exists (select from pg_cast c where c.castsource = t.oid and c.casttarget = 'json'::regtype)
            from pg_type t where t.oid = a.atttypid), false)) then
        select array_agg(attname::text order by attnum), array_agg(atttypid order by attnum) into names, types
          from pg_attribute where attrelid = TG_RELID and attnum > 0 and not attisdropped;
      end if;
    end if;
    if types is not null then told := public.realtime_told(names, types, hidden); end if;
  end if;
  if told is not null and TG_OP <> 'UPDATE' then
    execute format($statement$
    insert into public.realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, subject, payload, rows, changes)
    select gen_random_uuid(), '{}', '{}', '{}', 'rows', $1, $2, '{}', json_agg(c.j), count(*)
      from (select u.j, (row_number() over w - 1) / 200 as part, sum(octet_length(u.j::text)) over w / 16777216 as weight
              from (select row_to_json(r.*) as j from (select %s from %I t) r offset 0) u window w as (rows unbounded preceding)) c
     group by c.part, c.weight order by c.part, c.weight $statement$, told, source) using TG_OP, model;
  elsif told is not null then
    -- As below.
    keyed := $rows$
    select s.j, (select case when bool_and(s.readable ->> k.name is not null) then array_agg(s.readable ->> k.name) end
                   from unnest($3) k(name)) as k
      from (select u.j, replace(u.j::text, '\u0000', '\ufffd')::json as readable
              from (select row_to_json(r.*) as j from (select %s from %I t) r offset 0) u offset 0) s $rows$;
    execute format($statement$
    insert into public.realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, subject, payload, rows, changes)
    select gen_random_uuid(), '{}', '{}', '{}', 'rows', $1, $2, '{}', json_agg(c.pair), count(*)
      from (select p.pair, (row_number() over w - 1) / 200 as part, sum(octet_length(p.pair::text)) over w / 16777216 as weight
              from (select json_build_array(o.j, n.j) as pair
              from (%1$s) o full join (%2$s) n on n.k = o.k offset 0) p window w as (rows unbounded preceding)) c
     group by c.part, c.weight order by c.part, c.weight $statement$,
      format(keyed, told, 'old_rows'), format(keyed, told, 'new_rows')) using TG_OP, model, key;
  elsif TG_OP = 'INSERT' then
    insert into public.realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, subject, payload, rows, changes)
    select gen_random_uuid(), '{}', '{}', '{}', 'rows', TG_OP, model, '{}', json_agg(c.j), count(*)
      from (select u.j, (row_number() over w - 1) / 200 as part, sum(octet_length(u.j::text)) over w / 16777216 as weight
              from (select case when hidden is null then row_to_json(t.*) when has_json then public.realtime_without(row_to_json(t.*), hidden)
                        else (to_jsonb(t.*) - hidden)::json end as j
                      from new_rows t offset 0) u window w as (rows unbounded preceding)) c
     group by c.part, c.weight order by c.part, c.weight;
  elsif TG_OP = 'DELETE' then
    insert into public.realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, subject, payload, rows, changes)
    select gen_random_uuid(), '{}', '{}', '{}', 'rows', TG_OP, model, '{}', json_agg(c.j), count(*)
      from (select u.j, (row_number() over w - 1) / 200 as part, sum(octet_length(u.j::text)) over w / 16777216 as weight
              from (select case when hidden is null then row_to_json(t.*) when has_json then public.realtime_without(row_to_json(t.*), hidden)
                        else (to_jsonb(t.*) - hidden)::json end as j
                      from old_rows t offset 0) u window w as (rows unbounded preceding)) c
     group by c.part, c.weight order by c.part, c.weight;
  elsif TG_OP = 'UPDATE' then
    -- That a notification has arrived somewhere is told to nobody as a change of its row: it would double them.
    if model = 'Notification' and not exists (
      select to_jsonb(t.*) - array['delivered_at', 'acknowledged_at'] from new_rows t
      except
      select to_jsonb(t.*) - array['delivered_at', 'acknowledged_at'] from old_rows t) then return null; end if;
    -- Before and after are paired by the key; a row whose key changed is another one. An escape that no text can
    -- hold may stand in a column of type json.
    insert into public.realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, subject, payload, rows, changes)
    select gen_random_uuid(), '{}', '{}', '{}', 'rows', TG_OP, model, '{}', json_agg(c.pair), count(*)
      from (select p.pair, (row_number() over w - 1) / 200 as part, sum(octet_length(p.pair::text)) over w / 16777216 as weight
              from (select json_build_array(o.j, n.j) as pair
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
                   on n.k = o.k offset 0) p window w as (rows unbounded preceding)) c
     group by c.part, c.weight order by c.part, c.weight;
  else
    -- Nobody knows which rows there were: whoever follows the model is to look anew.
    insert into public.realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, subject, erases, control, payload)
    values (gen_random_uuid(), array['model:' || model], '{all}', '{""}', 'model', 'model.truncated', 'model:' || model, true, true, '{}');
  end if;
  return null;
end
$capture$;
