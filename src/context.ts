import DataLoader from 'dataloader';
import type { Channels } from './domain/channel.ts';
import type { Events } from './domain/event.ts';
import type { MessageRow, Messages } from './domain/message.ts';
import type { Notifications } from './domain/notification.ts';
import type { ChannelRow } from './domain/place.ts';
import type { ChannelRole } from './domain/policy.ts';
import type { Sessions } from './domain/session.ts';
import type { UserRow, Users } from './domain/user.ts';
import type { Viewer } from './domain/viewer.ts';

/** The verbs. */
export interface Domain {
  readonly users: Users;
  readonly channels: Channels;
  readonly messages: Messages;
  readonly notifications: Notifications;
  readonly events: Events;
  readonly sessions: Sessions;
}

/** Who asks, whom they may ask, and what has been read for this one execution. */
export interface Context extends Domain {
  readonly viewer: Viewer | null;
  readonly load: Loaders;
  /** The journal's head as of before anything else in this query, as clients are given it. */
  readonly position: string | null;
  /** Positions that the transport was given beside the arguments. */
  readonly resume: readonly string[];
  /** The connection that a subscription belongs to. */
  readonly connectionId: string | null;
}

/** What the wire says beside who asks. */
type Circumstances = Partial<Pick<Context, 'position' | 'resume' | 'connectionId'>>;

export interface Loaders {
  readonly user: DataLoader<string, UserRow | null>;
  readonly channel: DataLoader<string, ChannelRow | null>;
  readonly message: DataLoader<string, MessageRow | null>;
  readonly memberCount: DataLoader<string, number>;
  readonly viewerRole: DataLoader<string, ChannelRole | null>;
}

/** Made anew for each execution, each event of a subscription included: what is loaded is never stale. */
export function createContext(
  domain: Domain,
  viewer: Viewer | null,
  { position = null, resume = [], connectionId = null }: Circumstances = {},
): Context {
  const { users, channels, messages } = domain;
  const roles = async (ids: readonly string[]) =>
    viewer ? channels.rolesOf(viewer, ids) : new Map<string, ChannelRole>();
  const load = {
    user: loader((ids) => users.byIds(ids), null),
    channel: loader((ids) => channels.byIds(ids), null),
    message: loader((ids) => messages.byIds(ids), null),
    memberCount: loader((ids) => channels.memberCounts(ids), 0),
    viewerRole: loader(roles, null),
  };
  return { ...domain, viewer, load, position, resume, connectionId };
}

function loader<Value, None>(
  read: (ids: readonly string[]) => Promise<Map<string, Value>>,
  none: None,
): DataLoader<string, Value | None> {
  return new DataLoader(async (ids) => {
    const found = await read(ids);
    return ids.map((id) => found.get(id) ?? none);
  });
}
