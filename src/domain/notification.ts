import { and, asc, count, desc, eq, gt, inArray, isNull, lt, or, sql } from 'drizzle-orm';
import { v7 as uuid } from 'uuid';
import type { Database } from '../db/database.ts';
import { notifications } from '../db/tables.ts';
import { badInput, notFound, tooLarge } from '../errors.ts';
import type { JournalEvent } from '../realtime/event.ts';
import type { Positions } from '../realtime/position.ts';
import { Source } from '../realtime/source.ts';
import { type Tracer, untraced } from '../realtime/tracer.ts';
import { demandFew, demandJson, demandLength, demandText, isText, isUserId, type Json } from './input.ts';
import { createNotificationWriter, type NotificationDraft } from './notification-writer.ts';
import { isUuid, type Page, type PageArguments, pageRequest, toPage } from './page.ts';
import { demandStaff, isStaff } from './policy.ts';
import { furthest, type Resume } from './position.ts';
import { toUser } from './topics.ts';
import { noUser } from './user.ts';
import { signedIn, type Viewer } from './viewer.ts';

export type NotificationRow = typeof notifications.$inferSelect;
export type NotificationPriority = NotificationRow['priority'];

export interface NotificationAction {
  readonly label: string;
  readonly url: string;
}

export interface NewNotification {
  readonly userId: string;
  readonly title: string;
  readonly message: string;
  readonly type?: string | null;
  readonly category?: string | null;
  readonly priority?: NotificationPriority | null;
  readonly data?: Json | null;
  readonly url?: string | null;
  readonly actions?: readonly NotificationAction[] | null;
  readonly actorId?: string | null;
  readonly expiresAt?: Date | null;
  readonly dedupeKey?: string | null;
}

export interface NotificationFilter {
  readonly isRead?: boolean | null;
  readonly types?: readonly string[] | null;
  readonly categories?: readonly string[] | null;
}

const longestTitle = 200;
const longestMessage = 10_000;
const longestUrl = 2_048;
const longestKey = 200;
const mostActions = 10;
const mostAtOnce = 1_000;
const kindPattern = /^[a-z][a-z0-9_.-]{0,49}$/;

export type Notifications = ReturnType<typeof createNotifications>;

export function createNotifications({
  database,
  positions,
  tracer = untraced,
  committed,
}: NotificationsOptions) {
  const write = createNotificationWriter(database, tracer);

  /** Those that the recipients have had already, by their keys. */
  async function findByKeys(drafts: readonly NotificationDraft[]): Promise<Map<string, NotificationRow>> {
    if (drafts.length === 0) return new Map();
    const rows = await database.orm
      .select()
      .from(notifications)
      .where(
        or(
          ...drafts.map(({ userId, dedupeKey }) =>
            and(eq(notifications.userId, userId), eq(notifications.dedupeKey, dedupeKey!)),
          ),
        ),
      );
    return new Map(rows.map((row) => [keyOf(row), row]));
  }

  return {
    /** All or none. A `dedupeKey` that the recipient has answers with the first notification. */
    async send(viewer: Viewer | null, inputs: readonly NewNotification[]): Promise<NotificationRow[]> {
      demandStaff(signedIn(viewer));
      if (inputs.length < 1 || inputs.length > mostAtOnce) {
        throw badInput(`Between 1 and ${mostAtOnce} notifications are sent at once.`);
      }
      for (const input of inputs) demandNotification(input);
      for (const id of inputs.flatMap(({ userId, actorId }) =>
        actorId == null ? [userId] : [userId, actorId],
      )) {
        if (!isUserId(id)) throw noUser(id);
      }
      const drafts = inputs.map(draftOf);
      const { missing, rows } = await write(drafts);
      if (missing !== null) throw noUser(missing);
      if (rows.some((row) => row !== null)) committed();
      const earlier = await findByKeys(drafts.filter((_draft, index) => rows[index] === null));
      return drafts.map((draft, index) => {
        const row = rows[index];
        return row ? rowOf(row) : earlier.get(keyOf(draft))!;
      });
    },

    async find(viewer: Viewer | null, id: string): Promise<NotificationRow | null> {
      const me = signedIn(viewer);
      if (!isUuid(id)) return null;
      const [row] = await database.orm
        .select()
        .from(notifications)
        .where(and(eq(notifications.id, id), eq(notifications.userId, me.id), isCurrent()));
      return row ?? null;
    },

    /** The viewer's, newest first. */
    async list(
      viewer: Viewer | null,
      filter: NotificationFilter,
      pageArguments: PageArguments,
    ): Promise<Page<NotificationRow>> {
      const me = signedIn(viewer);
      const request = pageRequest(pageArguments, isUuid);
      const rows = await database.orm
        .select()
        .from(notifications)
        .where(
          and(
            matching(me, filter),
            request.after === null ? undefined : lt(notifications.id, request.after),
            request.before === null ? undefined : gt(notifications.id, request.before),
          ),
        )
        .orderBy(request.isBackward ? asc(notifications.id) : desc(notifications.id))
        .limit(request.size + 1);
      return toPage(rows, request, ({ id }) => id);
    },

    async count(viewer: Viewer | null, filter: NotificationFilter): Promise<number> {
      const [row] = await database.orm
        .select({ total: count() })
        .from(notifications)
        .where(matching(signedIn(viewer), filter));
      return row!.total;
    },

    /** Marking again changes nothing. */
    async markRead(viewer: Viewer | null, id: string, isRead: boolean): Promise<NotificationRow> {
      const me = signedIn(viewer);
      const missing = noNotification(id);
      if (!isUuid(id)) throw missing;
      const owned = and(eq(notifications.id, id), isStaff(me) ? undefined : eq(notifications.userId, me.id));
      const [row] = await database.orm
        .update(notifications)
        .set({
          isRead,
          readAt: isRead ? sql`coalesce(${notifications.readAt}, now())` : null,
          updatedAt: sql`case when ${notifications.isRead} = ${isRead} then ${notifications.updatedAt} else now() end`,
        })
        .where(owned)
        .returning();
      if (!row) throw missing;
      return row;
    },

    /**
     * A client confirms that it has them. Answers how many it confirms for the first time; an own one that
     * has expired is confirmed as well.
     * @throws NOT_FOUND for one that is not the viewer's, and then none is confirmed
     */
    async acknowledge(viewer: Viewer | null, ids: readonly string[]): Promise<number> {
      const me = signedIn(viewer);
      if (ids.length < 1 || ids.length > mostAtOnce)
        throw badInput(`Between 1 and ${mostAtOnce} notifications are acknowledged at once.`);
      const unreadable = ids.find((id) => !isUuid(id));
      if (unreadable !== undefined) throw noNotification(unreadable);
      const [row] = await database.query<{ unknown: string | null; confirmed: number }>(
        acknowledgeNotifications,
        [me.id, ids],
      );
      if (row!.unknown !== null) throw noNotification(row!.unknown);
      return row!.confirmed;
    },

    /** Each notification for the viewer when it is sent. */
    async follow(viewer: Viewer | null, filter: NotificationFilter, resume: Resume): Promise<Source> {
      const me = signedIn(viewer);
      demandFilter(filter);
      const after = furthest(positions, resume);
      const topics = [toUser(me.id).topic];
      return new Source({
        after,
        topics: async () => topics,
        wants: (event) => event.kind === 'notification' && !isExpired(event) && isWanted(filter, event),
      });
    },
  };
}

/** An event's payload as the row that it was. */
export const notificationOf = ({ payload }: JournalEvent): NotificationRow => rowOf(payload);

function rowOf(json: unknown): NotificationRow {
  const row = json as Record<keyof NotificationRow, unknown>;
  const instant = (value: unknown) => (value === null ? null : new Date(value as string));
  return {
    ...(row as NotificationRow),
    deliveredAt: instant(row.deliveredAt),
    acknowledgedAt: instant(row.acknowledgedAt ?? null),
    readAt: instant(row.readAt),
    expiresAt: instant(row.expiresAt),
    createdAt: instant(row.createdAt)!,
    updatedAt: instant(row.updatedAt)!,
  };
}

const noNotification = (id: string) => notFound(`The notification "${id}"`);

/** In the order of their ids, as everything that changes several. */
const acknowledgeNotifications = `
with owned as materialized (
  select id from notifications where user_id = $1 and id = any($2::uuid[]) order by id for no key update),
unknown as materialized (select min(id::text) as id from unnest($2::uuid[]) asked(id) where id not in (select id from owned)),
confirmed as (
  update notifications n set acknowledged_at = now(), delivered_at = coalesce(n.delivered_at, now()) from owned
   where n.id = owned.id and n.acknowledged_at is null and (select id from unknown) is null returning 1)
select (select id from unknown) as unknown, (select count(*)::int from confirmed) as confirmed`;

/** What has expired by now is neither delivered nor replayed. */
export function isExpired({ payload }: JournalEvent): boolean {
  const { expiresAt } = payload as { expiresAt: string | null };
  return expiresAt !== null && Date.parse(expiresAt) <= Date.now();
}

function isWanted({ types, categories }: NotificationFilter, { payload }: JournalEvent): boolean {
  const { type, category } = payload as NotificationRow;
  return (types?.includes(type) ?? true) && (categories?.includes(category) ?? true);
}

function demandFilter({ types, categories }: NotificationFilter): void {
  demandFew('types', types);
  demandFew('categories', categories);
}

function matching(viewer: Viewer, filter: NotificationFilter) {
  demandFilter(filter);
  const { isRead, types, categories } = filter;
  return and(
    eq(notifications.userId, viewer.id),
    isCurrent(),
    isRead == null ? undefined : eq(notifications.isRead, isRead),
    types ? inArray(notifications.type, types.filter(isText)) : undefined,
    categories ? inArray(notifications.category, categories.filter(isText)) : undefined,
  );
}

function isCurrent() {
  return or(isNull(notifications.expiresAt), gt(notifications.expiresAt, sql`now()`));
}

function draftOf(input: NewNotification): NotificationDraft {
  return {
    id: uuid(),
    eventId: uuid(),
    topic: toUser(input.userId).topic,
    userId: input.userId,
    title: input.title,
    message: input.message,
    type: input.type ?? 'info',
    category: input.category ?? 'general',
    priority: input.priority ?? 'NORMAL',
    data: input.data ?? null,
    url: input.url ?? null,
    actions: input.actions ?? [],
    actorId: input.actorId ?? null,
    expiresAt: input.expiresAt ?? null,
    dedupeKey: input.dedupeKey ?? null,
  };
}

const keyOf = ({ userId, dedupeKey }: { userId: string; dedupeKey?: string | null }) =>
  JSON.stringify([userId, dedupeKey]);

function demandNotification(input: NewNotification): void {
  demandText('title', input.title, longestTitle);
  demandText('message', input.message, longestMessage);
  if (input.type != null) demandKind('type', input.type);
  if (input.category != null) demandKind('category', input.category);
  if (input.url != null) demandText('url', input.url, longestUrl);
  if (input.dedupeKey != null) demandText('dedupeKey', input.dedupeKey, longestKey);
  demandJson('data', input.data);
  if (input.actions && input.actions.length > mostActions)
    throw tooLarge(`\`actions\` are at most ${mostActions}.`);
  for (const { label, url } of input.actions ?? []) {
    demandText('label', label, longestTitle);
    demandText('url', url, longestUrl);
  }
  for (const url of [input.url, ...(input.actions ?? []).map((action) => action.url)]) demandLink(url);
}

function demandKind(name: string, kind: string): void {
  demandLength(name, kind, 1_000);
  if (!kindPattern.test(kind))
    throw badInput(`\`${name}\` has 1 to 50 of a-z, 0-9, "_", "." and "-", a letter first.`);
}

/** A path, a web address or a mail address: what a client makes a link of must not run as a script. */
function demandLink(url: string | null | undefined): void {
  if (url == null) return;
  const isLink =
    URL.canParse(url, 'http://here/') && linkProtocols.has(new URL(url, 'http://here/').protocol);
  if (!isLink) throw badInput('`url` is a path, or begins with http, https or mailto.');
}

const linkProtocols = new Set(['http:', 'https:', 'mailto:']);

interface NotificationsOptions {
  readonly database: Database;
  readonly positions: Positions;
  readonly tracer?: Tracer;
  committed(): void;
}
