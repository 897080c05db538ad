import { z } from 'zod';
import type { NewNotification, Notifications } from '../domain/notification.ts';
import type { Viewer } from '../domain/viewer.ts';
import { badInput } from '../errors.ts';
import { notificationJson } from './plain-json.ts';

/** What a handler is given of a request. */
export interface RestRequest {
  readonly viewer: Viewer;
  readonly url: URL;
  /** What the path has in the place of a parameter. */
  readonly parameter: string;
  /** The parsed body, where the method has one. */
  readonly body: unknown;
}

/** What is answered, beside `"success": true`. */
export interface RestAnswer {
  readonly status: number;
  readonly data: unknown;
  readonly [name: string]: unknown;
}

/** The twins of three GraphQL fields, for programs that speak plain HTTP. */
export function createNotificationTwins(notifications: Notifications) {
  return {
    /** `sendNotification` */
    async send({ viewer, body }: RestRequest): Promise<RestAnswer> {
      const [row] = await notifications.send(viewer, [notificationIn(body)]);
      return { status: 201, data: notificationJson(row!) };
    },

    /** `notifications`, newest first */
    async list({ viewer, url: { searchParams } }: RestRequest): Promise<RestAnswer> {
      const filter = isUnreadOnly(searchParams.get('unread')) ? { isRead: false } : {};
      const after = searchParams.get('after') || null;
      const first = sizeIn(searchParams.get('limit'));
      const { rows, hasNextPage, cursor } = await notifications.list(viewer, filter, { first, after });
      return {
        status: 200,
        data: rows.map(notificationJson),
        next: hasNextPage ? cursor(rows.at(-1)!) : null,
      };
    },

    /** `markNotificationRead` */
    async read({ viewer, parameter }: RestRequest): Promise<RestAnswer> {
      return { status: 200, data: notificationJson(await notifications.markRead(viewer, parameter, true)) };
    },
  };
}

function isUnreadOnly(text: string | null): boolean {
  if (text === 'true' || text === '1') return true;
  if (text === null || text === '' || text === 'false' || text === '0') return false;
  throw badInput('`unread` is true or false.');
}

/** Null where it is left out. */
function sizeIn(text: string | null): number | null {
  if (text === null || text === '') return null;
  if (!/^\d{1,9}$/.test(text)) throw badInput('`limit` is a whole number.');
  if (Number(text) < 1 || Number(text) > 100) throw badInput('`limit` is between 1 and 100.');
  return Number(text);
}

/** Users of other systems have numbers. */
const userId = z.union([z.string(), z.int().transform(String)], 'is neither a text nor a whole number');
const text = z.string('is not a text');

const newNotification = z.strictObject({
  user_id: userId,
  title: text,
  message: text,
  type: text.nullish(),
  data: z.unknown().optional(),
  category: text.nullish(),
  priority: z.enum(['LOW', 'NORMAL', 'HIGH', 'URGENT'], 'is not LOW, NORMAL, HIGH or URGENT').nullish(),
  url: text.nullish(),
  actor_id: userId.nullish(),
  expires_at: z.iso
    .datetime({ offset: true, error: 'is not an instant such as 2026-11-22T10:30:00Z' })
    .transform((instant) => new Date(instant))
    .nullish(),
  dedupe_key: text.nullish(),
});

/** @throws BAD_USER_INPUT also for a field that is not known: it may be one that is misspelt */
function notificationIn(body: unknown): NewNotification {
  const { data: given, error } = newNotification.safeParse(body);
  if (!given) {
    const { path, message, ...issue } = error.issues[0]!;
    if (issue.code === 'unrecognized_keys') throw badInput(`There is no field \`${issue.keys[0]}\`.`);
    if (path.length === 0) throw badInput('The body is a JSON object.');
    throw badInput(`\`${String(path[0])}\` ${message}.`);
  }
  const { user_id, actor_id, expires_at, dedupe_key, ...same } = given;
  return { ...same, userId: user_id, actorId: actor_id, expiresAt: expires_at, dedupeKey: dedupe_key };
}
