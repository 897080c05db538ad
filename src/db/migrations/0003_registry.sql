DROP INDEX "realtime_connections_of_user";--> statement-breakpoint
DROP INDEX "realtime_connections_of_node";--> statement-breakpoint
ALTER TABLE "realtime_connections" ADD COLUMN "closed_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "realtime_connections_live" ON "realtime_connections" USING btree ("id") WHERE "realtime_connections"."is_active";--> statement-breakpoint
CREATE INDEX "realtime_connections_closed" ON "realtime_connections" USING btree ("closed_at") WHERE "realtime_connections"."closed_at" is not null;--> statement-breakpoint
CREATE INDEX "realtime_connections_of_user" ON "realtime_connections" USING btree ("user_id","closed_at");--> statement-breakpoint
CREATE INDEX "realtime_connections_of_node" ON "realtime_connections" USING btree ("node") WHERE "realtime_connections"."is_active";--> statement-breakpoint
UPDATE "realtime_connections" SET "closed_at" = "last_ping" WHERE NOT "is_active";--> statement-breakpoint
-- Signs of life change no index, and with room on its page a row is written next to itself.
ALTER TABLE "realtime_connections" SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
