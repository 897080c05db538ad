CREATE TABLE "realtime_nodes" (
	"id" text PRIMARY KEY NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	"connections" integer NOT NULL,
	"subscriptions" integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE "realtime_connections" ADD COLUMN "node" text NOT NULL;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "blocked_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "realtime_connections_of_node" ON "realtime_connections" USING btree ("node");