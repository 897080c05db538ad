ALTER TABLE "notifications" ADD COLUMN "acknowledged_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "notifications_expiring" ON "notifications" USING btree ("expires_at") WHERE "notifications"."expires_at" is not null and "notifications"."dedupe_key" is null;--> statement-breakpoint
-- As it was made in 0002, but for deliveries.
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
    -- That a notification has arrived somewhere is told to nobody as a change of its row: it would double them.
    if model = 'Notification' and not exists (
      select to_jsonb(t.*) - array['delivered_at', 'acknowledged_at'] from new_rows t
      except
      select to_jsonb(t.*) - array['delivered_at', 'acknowledged_at'] from old_rows t) then return null; end if;
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
