import type { Table } from 'drizzle-orm';
import { channels, messages, notifications, users } from '../db/tables.ts';
import { forbidden, notFound } from '../errors.ts';
import type { Viewer } from './viewer.ts';

export type ChannelKind = 'PUBLIC' | 'PRIVATE' | 'DIRECT';
export type ChannelRole = 'READER' | 'MEMBER' | 'MODERATOR' | 'OWNER';

interface Rule {
  /** The least role in the channel. */
  readonly least: ChannelRole;
  /** Open to everyone signed in where the channel is PUBLIC. */
  readonly open: boolean;
  /** Open to roles service and admin, members or not. */
  readonly staff: boolean;
}

/** Who may do what in a channel. */
const rules = {
  read: { least: 'READER', open: true, staff: true },
  join: { least: 'READER', open: true, staff: true },
  send: { least: 'MEMBER', open: false, staff: true },
  editOwnMessage: { least: 'READER', open: false, staff: false },
  deleteOwnMessage: { least: 'READER', open: false, staff: true },
  deleteAnyMessage: { least: 'MODERATOR', open: false, staff: true },
  manageMembers: { least: 'MODERATOR', open: false, staff: true },
  manageOwners: { least: 'OWNER', open: false, staff: true },
  setRoles: { least: 'OWNER', open: false, staff: true },
  deleteChannel: { least: 'OWNER', open: false, staff: true },
} as const satisfies Record<string, Rule>;

export type ChannelAction = keyof typeof rules;

const ranks: Record<ChannelRole, number> = { READER: 1, MEMBER: 2, MODERATOR: 3, OWNER: 4 };

const kinds: readonly ChannelKind[] = ['PUBLIC', 'PRIVATE', 'DIRECT'];
const roles = [null, ...(Object.keys(ranks) as ChannelRole[])];
const allStandings = kinds.flatMap((kind) => roles.map((role) => ({ kind, role })));

/** What a right in a channel depends on. */
export interface Standing {
  readonly kind: ChannelKind;
  /** Null for someone who is not a member. */
  readonly role: ChannelRole | null;
}

export function isStaff(viewer: Viewer): boolean {
  return viewer.roles.length > 0;
}

export function mayInChannel(viewer: Viewer, action: ChannelAction, { kind, role }: Standing): boolean {
  const { least, open, staff } = rules[action];
  if (role !== null && ranks[role] >= ranks[least]) return true;
  return (open && kind === 'PUBLIC') || (staff && isStaff(viewer));
}

/** All standings in which a viewer may, each as `kind role` or `kind`: for a statement to compare with. */
export function standingsThatMay(viewer: Viewer, action: ChannelAction): string[] {
  return allStandings
    .filter((standing) => mayInChannel(viewer, action, standing))
    .map(({ kind, role }) => (role === null ? kind : `${kind} ${role}`));
}

/** @throws NOT_FOUND where the viewer may not know of the channel, FORBIDDEN where only the action is refused. */
export function demandInChannel(
  viewer: Viewer,
  action: ChannelAction,
  standing: Standing,
  name: string,
): void {
  if (mayInChannel(viewer, action, standing)) return;
  throw mayInChannel(viewer, 'read', standing) ? forbidden() : notFound(`The channel "${name}"`);
}

/** What concerns the whole cluster. @throws FORBIDDEN */
export function demandAdmin(viewer: Viewer): void {
  if (!viewer.roles.includes('admin')) throw forbidden('This takes the role admin.');
}

/** Sending notifications and events, writing users. @throws FORBIDDEN */
export function demandStaff(viewer: Viewer): void {
  if (!isStaff(viewer)) throw forbidden('This takes the role service or admin.');
}

/**
 * Who is told of a row's changes. EVERYONE: everyone signed in. OWNER: the user named in the audience column.
 * CHANNEL: whoever may read the channel named there. SERVICE: roles service and admin.
 */
export type ModelAudience = 'EVERYONE' | 'OWNER' | 'CHANNEL' | 'SERVICE';

/** Who may see the rows of our own models change, and which columns of them. */
export const builtInModels = {
  User: {
    table: users,
    key: ['id'],
    audience: 'EVERYONE',
    audienceColumn: null,
    channelBy: 'name',
    columns: ['id', 'name', 'avatar_url', 'created_at'],
  },
  Channel: {
    table: channels,
    // As clients know it.
    key: ['name'],
    audience: 'CHANNEL',
    audienceColumn: 'id',
    channelBy: 'self',
    columns: ['id', 'name', 'kind', 'title', 'created_at'],
  },
  Message: {
    table: messages,
    key: ['id'],
    audience: 'CHANNEL',
    audienceColumn: 'channel_id',
    channelBy: 'id',
    columns: [
      ...['id', 'channel_id', 'sender_id', 'body', 'data', 'client_id', 'reply_to_id'],
      ...['edited_at', 'deleted_at', 'created_at', 'updated_at'],
    ],
  },
  Notification: {
    table: notifications,
    key: ['id'],
    audience: 'OWNER',
    audienceColumn: 'user_id',
    channelBy: 'name',
    columns: [
      ...[
        'id',
        'user_id',
        'type',
        'category',
        'title',
        'message',
        'priority',
        'data',
        'url',
        'actions',
        'actor_id',
      ],
      ...['is_read', 'delivered_at', 'read_at', 'expires_at', 'created_at', 'updated_at'],
    ],
  },
} as const satisfies Record<string, BuiltInModel>;

interface BuiltInModel {
  readonly table: Table;
  readonly key: readonly string[];
  readonly audience: ModelAudience;
  readonly audienceColumn: string | null;
  /** What of a channel the audience column holds; `self`: the row is the channel. */
  readonly channelBy: 'name' | 'id' | 'self';
  readonly columns: readonly string[];
}
