CREATE TABLE "channel_members" (
	"id" uuid PRIMARY KEY NOT NULL,
	"channel_id" uuid NOT NULL,
	"user_id" text NOT NULL,
	"role" text NOT NULL,
	"joined_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "channel_members_once" UNIQUE("channel_id","user_id"),
	CONSTRAINT "channel_members_role" CHECK ("channel_members"."role" in ('OWNER', 'MODERATOR', 'MEMBER', 'READER'))
);
--> statement-breakpoint
CREATE TABLE "channels" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"title" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "channels_name_unique" UNIQUE("name"),
	CONSTRAINT "channels_kind" CHECK ("channels"."kind" in ('PUBLIC', 'PRIVATE', 'DIRECT'))
);
--> statement-breakpoint
CREATE TABLE "messages" (
	"id" uuid PRIMARY KEY NOT NULL,
	"channel_id" uuid NOT NULL,
	"sender_id" text NOT NULL,
	"body" text NOT NULL,
	"data" jsonb,
	"client_id" text,
	"reply_to_id" uuid,
	"edited_at" timestamp with time zone,
	"deleted_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "messages_client_id" UNIQUE("channel_id","sender_id","client_id")
);
--> statement-breakpoint
CREATE TABLE "notifications" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"title" text NOT NULL,
	"message" text NOT NULL,
	"type" text NOT NULL,
	"category" text NOT NULL,
	"priority" text NOT NULL,
	"data" jsonb,
	"url" text,
	"actions" jsonb NOT NULL,
	"actor_id" text,
	"is_read" boolean DEFAULT false NOT NULL,
	"delivered_at" timestamp with time zone,
	"read_at" timestamp with time zone,
	"expires_at" timestamp with time zone,
	"dedupe_key" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "notifications_dedupe_key" UNIQUE("user_id","dedupe_key")
);
--> statement-breakpoint
CREATE TABLE "realtime_connections" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"channel" text,
	"connection_type" text NOT NULL,
	"ip_address" text,
	"user_agent" text,
	"connected_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_ping" timestamp with time zone DEFAULT now() NOT NULL,
	"is_active" boolean DEFAULT true NOT NULL,
	"metadata" jsonb
);
--> statement-breakpoint
CREATE TABLE "realtime_dead_letters" (
	"id" bigint PRIMARY KEY NOT NULL,
	"event_id" uuid NOT NULL,
	"topics" text[] NOT NULL,
	"recipient_types" text[] NOT NULL,
	"recipient_ids" text[] NOT NULL,
	"kind" text NOT NULL,
	"event_type" text NOT NULL,
	"sender_id" text,
	"subject" text,
	"erases" boolean DEFAULT false NOT NULL,
	"control" boolean DEFAULT false NOT NULL,
	"payload" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"error" text NOT NULL,
	"failed_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "realtime_epochs" (
	"id" text PRIMARY KEY NOT NULL,
	"key" text NOT NULL,
	"until" bigint,
	"system_identifier" text NOT NULL,
	"timeline_id" integer NOT NULL,
	"began_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "realtime_events" (
	"relayed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"position" bigint NOT NULL,
	"topic" text NOT NULL,
	"prev" bigint NOT NULL,
	"id" uuid NOT NULL,
	"channel" text,
	"recipient_type" text NOT NULL,
	"recipient_id" text,
	"kind" text NOT NULL,
	"event_type" text NOT NULL,
	"sender_id" text,
	"subject" text,
	"erases" boolean DEFAULT false NOT NULL,
	"control" boolean DEFAULT false NOT NULL,
	"payload" jsonb NOT NULL,
	"delivered_count" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "realtime_events_position_topic_relayed_at_pk" PRIMARY KEY("position","topic","relayed_at"),
	CONSTRAINT "realtime_events_topic" CHECK (octet_length("realtime_events"."topic") <= 256)
) PARTITION BY RANGE ("relayed_at");
--> statement-breakpoint
CREATE TABLE "realtime_outbox" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"event_id" uuid NOT NULL,
	"topics" text[] NOT NULL,
	"recipient_types" text[] NOT NULL,
	"recipient_ids" text[] NOT NULL,
	"kind" text NOT NULL,
	"event_type" text NOT NULL,
	"sender_id" text,
	"subject" text,
	"erases" boolean DEFAULT false NOT NULL,
	"control" boolean DEFAULT false NOT NULL,
	"payload" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "realtime_relay" (
	"part" integer PRIMARY KEY NOT NULL,
	"fence" bigint DEFAULT 0 NOT NULL,
	"head" bigint DEFAULT 0 NOT NULL,
	"published" bigint DEFAULT 0 NOT NULL,
	"floor" bigint DEFAULT 0 NOT NULL,
	"holder" text,
	"holder_pid" integer,
	"expires_at" timestamp with time zone DEFAULT '-infinity' NOT NULL
);
--> statement-breakpoint
CREATE TABLE "realtime_settings" (
	"key" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "realtime_topics" (
	"topic" text PRIMARY KEY NOT NULL,
	"head" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"avatar_url" text,
	"token_issued_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "channel_members" ADD CONSTRAINT "channel_members_channel_id_channels_id_fk" FOREIGN KEY ("channel_id") REFERENCES "public"."channels"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "channel_members" ADD CONSTRAINT "channel_members_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_channel_id_channels_id_fk" FOREIGN KEY ("channel_id") REFERENCES "public"."channels"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_sender_id_users_id_fk" FOREIGN KEY ("sender_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_actor_id_users_id_fk" FOREIGN KEY ("actor_id") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "channel_members_of_user" ON "channel_members" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "messages_of_channel" ON "messages" USING btree ("channel_id","id");--> statement-breakpoint
CREATE INDEX "notifications_of_user" ON "notifications" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "realtime_connections_of_user" ON "realtime_connections" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "realtime_events_of_topic" ON "realtime_events" USING btree ("topic","position");--> statement-breakpoint
CREATE INDEX "realtime_events_erasing" ON "realtime_events" USING btree ("topic","subject") WHERE "realtime_events"."erases";--> statement-breakpoint
CREATE INDEX "realtime_outbox_erasing" ON "realtime_outbox" USING btree ("subject") WHERE "realtime_outbox"."erases";--> statement-breakpoint
ALTER TABLE "realtime_outbox" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);--> statement-breakpoint
INSERT INTO "realtime_relay" ("part") VALUES (0);
