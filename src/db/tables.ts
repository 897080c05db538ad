import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  check,
  customType,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';

/** JSON as text on the wire: both drivers are told not to parse it, so that it is parsed once, here. */
const json = customType<{ data: unknown; driverData: string }>({
  dataType: () => 'jsonb',
  toDriver: (value) => JSON.stringify(value),
  fromDriver: (text) => JSON.parse(text),
});

/** JSON as it was written, neither parsed nor ordered by the database. */
const rawJson = customType<{ data: unknown; driverData: string }>({
  dataType: () => 'json',
  toDriver: (value) => JSON.stringify(value),
  fromDriver: (text) => JSON.parse(text),
});

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });
const createdAt = () => instant('created_at').notNull().defaultNow();
const updatedAt = () => instant('updated_at').notNull().defaultNow();
const place = (name: string) => bigint(name, { mode: 'number' });

export const users = pgTable('users', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  avatarUrl: text('avatar_url'),
  /** The newest token that this row was refreshed from. */
  tokenIssuedAt: instant('token_issued_at'),
  /** Their tokens are refused while it is set. */
  blockedAt: instant('blocked_at'),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
});

export const channels = pgTable(
  'channels',
  {
    id: uuid('id').primaryKey(),
    name: text('name').notNull().unique(),
    kind: text('kind', { enum: ['PUBLIC', 'PRIVATE', 'DIRECT'] }).notNull(),
    title: text('title'),
    createdAt: createdAt(),
  },
  (table) => [check('channels_kind', sql`${table.kind} in ('PUBLIC', 'PRIVATE', 'DIRECT')`)],
);

export const channelMembers = pgTable(
  'channel_members',
  {
    /** A new one each time somebody joins: what a right to read is tied to. */
    id: uuid('id').primaryKey(),
    channelId: uuid('channel_id')
      .notNull()
      .references(() => channels.id, { onDelete: 'cascade' }),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    role: text('role', { enum: ['OWNER', 'MODERATOR', 'MEMBER', 'READER'] }).notNull(),
    joinedAt: instant('joined_at').notNull().defaultNow(),
  },
  (table) => [
    unique('channel_members_once').on(table.channelId, table.userId),
    index('channel_members_of_user').on(table.userId),
    check('channel_members_role', sql`${table.role} in ('OWNER', 'MODERATOR', 'MEMBER', 'READER')`),
  ],
);

export const messages = pgTable(
  'messages',
  {
    id: uuid('id').primaryKey(),
    channelId: uuid('channel_id')
      .notNull()
      .references(() => channels.id, { onDelete: 'cascade' }),
    senderId: text('sender_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    body: text('body').notNull(),
    data: json('data'),
    clientId: text('client_id'),
    replyToId: uuid('reply_to_id'),
    editedAt: instant('edited_at'),
    deletedAt: instant('deleted_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    index('messages_of_channel').on(table.channelId, table.id),
    unique('messages_client_id').on(table.channelId, table.senderId, table.clientId),
  ],
);

export const notifications = pgTable(
  'notifications',
  {
    id: uuid('id').primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    title: text('title').notNull(),
    message: text('message').notNull(),
    type: text('type').notNull(),
    category: text('category').notNull(),
    priority: text('priority', { enum: ['LOW', 'NORMAL', 'HIGH', 'URGENT'] }).notNull(),
    data: json('data'),
    url: text('url'),
    actions: json('actions').notNull(),
    actorId: text('actor_id').references(() => users.id, { onDelete: 'set null' }),
    isRead: boolean('is_read').notNull().default(false),
    /** First written to a live subscriber of the recipient, or acknowledged. */
    deliveredAt: instant('delivered_at'),
    /** Its receipt was confirmed by a client. */
    acknowledgedAt: instant('acknowledged_at'),
    readAt: instant('read_at'),
    expiresAt: instant('expires_at'),
    dedupeKey: text('dedupe_key'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    index('notifications_of_user').on(table.userId, table.id),
    index('notifications_expiring')
      .on(table.expiresAt)
      .where(sql`${table.expiresAt} is not null and ${table.dedupeKey} is null`),
    unique('notifications_dedupe_key').on(table.userId, table.dedupeKey),
  ],
);

export const realtimeConnections = pgTable(
  'realtime_connections',
  {
    id: uuid('id').primaryKey(),
    userId: text('user_id').notNull(),
    channel: text('channel'),
    connectionType: text('connection_type', { enum: ['websocket', 'sse'] }).notNull(),
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    connectedAt: instant('connected_at').notNull().defaultNow(),
    lastPing: instant('last_ping').notNull().defaultNow(),
    isActive: boolean('is_active').notNull().default(true),
    /** `{ "channels": [names], "subscriptionCount": n }` */
    metadata: json('metadata'),
    node: text('node').notNull(),
    /** Null while it is active. */
    closedAt: instant('closed_at'),
  },
  (table) => [
    index('realtime_connections_of_user').on(table.userId, table.closedAt),
    index('realtime_connections_of_node').on(table.node).where(sql`${table.isActive}`),
    index('realtime_connections_live').on(table.id).where(sql`${table.isActive}`),
    index('realtime_connections_closed').on(table.closedAt).where(sql`${table.closedAt} is not null`),
  ],
);

/** Tables whose changes are told: ours, and those of others that are watched. */
export const realtimeModels = pgTable(
  'realtime_models',
  {
    id: uuid('id').primaryKey(),
    name: text('name').notNull().unique(),
    /** Ours: not for anybody to change. */
    isBuiltIn: boolean('is_built_in').notNull().default(false),
    tableSchema: text('table_schema').notNull(),
    tableName: text('table_name').notNull(),
    keyColumns: text('key_columns').array().notNull(),
    /** Those that subscribers may see, and the type of each. */
    columns: text('columns').array().notNull(),
    columnTypes: text('column_types').array().notNull(),
    /** Those whose numbers JavaScript cannot hold: they are told as text. */
    textColumns: text('text_columns').array().notNull(),
    audience: text('audience', { enum: ['EVERYONE', 'OWNER', 'CHANNEL', 'SERVICE'] }).notNull(),
    audienceColumn: text('audience_column'),
    /** What of a channel `audience_column` holds; `self`: the row is the channel. */
    channelBy: text('channel_by', { enum: ['name', 'id', 'self'] })
      .notNull()
      .default('name'),
    /** Why nothing is told any more. */
    disabledReason: text('disabled_reason'),
    createdAt: createdAt(),
  },
  (table) => [
    check('realtime_models_audience', sql`${table.audience} in ('EVERYONE', 'OWNER', 'CHANNEL', 'SERVICE')`),
    check('realtime_models_channel_by', sql`${table.channelBy} in ('name', 'id', 'self')`),
  ],
);

/** The processes that are there, each refreshing its row. */
export const realtimeNodes = pgTable('realtime_nodes', {
  id: text('id').primaryKey(),
  startedAt: instant('started_at').notNull().defaultNow(),
  seenAt: instant('seen_at').notNull().defaultNow(),
  connections: integer('connections').notNull(),
  subscriptions: integer('subscriptions').notNull(),
});

/** Columns that an event has from the outbox on. */
const eventColumns = {
  kind: text('kind').notNull(),
  eventType: text('event_type').notNull(),
  senderId: text('sender_id'),
  subject: text('subject'),
  erases: boolean('erases').notNull().default(false),
  control: boolean('control').notNull().default(false),
  payload: json('payload').notNull(),
};

/** Columns that it waits with: one element for each topic. */
const waitingColumns = {
  eventId: uuid('event_id').notNull(),
  topics: text('topics').array().notNull(),
  recipientTypes: text('recipient_types').array().notNull(),
  recipientIds: text('recipient_ids').array().notNull(),
  ...eventColumns,
  /** Of kind `rows`: the rows of a table as a statement changed them. They become events when they are moved. */
  rows: rawJson('rows'),
  /** How many rows. */
  changes: integer('changes').notNull().default(1),
  createdAt: instant('created_at').notNull().default(sql`clock_timestamp()`),
};

/** Where events wait, written in the transaction of the fact. Empty when everything has been relayed. */
export const realtimeOutbox = pgTable(
  'realtime_outbox',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    ...waitingColumns,
    /** The `traceparent` of what wrote it. Whoever else writes can say theirs for a transaction. */
    trace: text('trace').default(sql`nullif(left(current_setting('realtime.trace', true), 55), '')`),
  },
  (table) => [index('realtime_outbox_erasing').on(table.subject).where(sql`${table.erases}`)],
);

/** Outbox rows that could not be moved, with the reason. */
export const realtimeDeadLetters = pgTable('realtime_dead_letters', {
  id: place('id').primaryKey(),
  ...waitingColumns,
  error: text('error').notNull(),
  failedAt: instant('failed_at').notNull().defaultNow(),
});

/** The newest position of each topic. */
export const realtimeTopics = pgTable('realtime_topics', {
  topic: text('topic').primaryKey(),
  head: place('head').notNull(),
});

/** The journal: one row per event and topic. The migration partitions it by `relayed_at`. */
export const realtimeEvents = pgTable(
  'realtime_events',
  {
    relayedAt: instant('relayed_at').notNull().default(sql`now()`),
    position: place('position').notNull(),
    topic: text('topic').notNull(),
    prev: place('prev').notNull(),
    id: uuid('id').notNull(),
    channel: text('channel'),
    recipientType: text('recipient_type').notNull(),
    recipientId: text('recipient_id'),
    ...eventColumns,
    deliveredCount: integer('delivered_count').notNull().default(0),
    trace: text('trace'),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.position, table.topic, table.relayedAt] }),
    index('realtime_events_of_topic').on(table.topic, table.position),
    index('realtime_events_erasing').on(table.topic, table.subject).where(sql`${table.erases}`),
    check('realtime_events_topic', sql`octet_length(${table.topic}) <= 256`),
  ],
);

/** The lease of the relay, one row. */
export const realtimeRelay = pgTable('realtime_relay', {
  part: integer('part').primaryKey(),
  fence: place('fence').notNull().default(0),
  head: place('head').notNull().default(0),
  /** What the holder is known to have told the bus. */
  published: place('published').notNull().default(0),
  /** Everything at or below has been dropped by retention. */
  floor: place('floor').notNull().default(0),
  holder: text('holder'),
  /** The database session of the holder: when it is gone, so is the holder. */
  holderPid: integer('holder_pid'),
  expiresAt: instant('expires_at').notNull().default(sql`'-infinity'`),
});

/** The lives of the journal. The one without `until` lasts. */
export const realtimeEpochs = pgTable('realtime_epochs', {
  id: text('id').primaryKey(),
  key: text('key').notNull(),
  until: place('until'),
  systemIdentifier: text('system_identifier').notNull(),
  timelineId: integer('timeline_id').notNull(),
  beganAt: instant('began_at').notNull().defaultNow(),
});

/** What all nodes have to agree on, the generated token secret for one. */
export const realtimeSettings = pgTable('realtime_settings', {
  key: text('key').primaryKey(),
  value: text('value').notNull(),
});
