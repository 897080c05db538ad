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
