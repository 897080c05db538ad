import DataLoader from 'dataloader';
import { cannotRefresh, type Refresh } from './auth/refresh.ts';
import type { Channels } from './domain/channel.ts';
import type { Events } from './domain/event.ts';
import type { MessageRow, Messages } from './domain/message.ts';
import type { Models } from './domain/model.ts';
import type { Notifications } from './domain/notification.ts';
import type { ChannelRow } from './domain/place.ts';
import type { ChannelRole } from './domain/policy.ts';
import type { Sessions } from './domain/session.ts';
import type { UserRow, Users } from './domain/user.ts';
import type { Viewer } from './domain/viewer.ts';
import type { Watches } from './domain/watch.ts';
import { Portion } from './limits/portion.ts';

/** The verbs. */
export interface Domain {
  readonly users: Users;
  readonly channels: Channels;
  readonly messages: Messages;
  readonly notifications: Notifications;
  readonly events: Events;
  readonly sessions: Sessions;
  readonly models: Models;
  readonly watches: Watches;
}

/** Who asks, whom they may ask, and what has been read for this one execution. */
export interface Context extends Domain {
  readonly viewer: Viewer | null;
  readonly load: Loaders;
  /** What may be read and answered. */
  readonly portion: Portion;
  /** The journal's head as of before anything else in this query, as clients are given it. */
  readonly position: string | null;
  /** Positions that the transport was given beside the arguments. */
  readonly resume: readonly string[];
  /** The connection that a subscription belongs to. */
  readonly connectionId: string | null;
  /** Gives the connection that this came by another token. */
  readonly refresh: Refresh;
}

/** What the wire says beside who asks. */
type Circumstances = Partial<Pick<Context, 'position' | 'resume' | 'connectionId' | 'refresh' | 'portion'>>;

export interface Loaders {
  readonly user: DataLoader<string, UserRow | null>;
  readonly channel: DataLoader<string, ChannelRow | null>;
  readonly message: DataLoader<string, MessageRow | null>;
  readonly memberCount: DataLoader<string, number>;
  readonly online: DataLoader<string, boolean>;
  readonly viewerRole: DataLoader<string, ChannelRole | null>;
}

/** Made anew for each execution, each event of a subscription included: what is loaded is never stale. */
export function createContext(
  domain: Domain,
  viewer: Viewer | null,
  { position = null, resume = [], connectionId = null, refresh = cannotRefresh, portion }: Circumstances = {},
): Context {
  return Object.assign(new Base(domain, () => viewer, portion), {
    viewer,
    position,
    resume,
    connectionId,
    refresh,
  });
}

/**
 * The context of what is executed once for many. Whatever asks for the viewer throws, and `touched` is told:
 * what it would have answered is not the same for everyone.
 */
export function createCommonContext(domain: Domain, touched: () => void): Context {
  return new CommonContext(domain, touched);
}

class Base implements Domain {
  readonly users: Users;
  readonly channels: Channels;
  readonly messages: Messages;
  readonly notifications: Notifications;
  readonly events: Events;
  readonly sessions: Sessions;
  readonly models: Models;
  readonly watches: Watches;
  readonly load: Loaders;
  readonly portion: Portion;

  constructor(domain: Domain, viewer: () => Viewer | null, portion = new Portion()) {
    this.users = domain.users;
    this.channels = domain.channels;
    this.messages = domain.messages;
    this.notifications = domain.notifications;
    this.events = domain.events;
    this.sessions = domain.sessions;
    this.models = domain.models;
    this.watches = domain.watches;
    this.portion = portion;
    this.load = new FreshLoaders(domain, viewer, portion);
  }
}

class CommonContext extends Base implements Context {
  readonly position = null;
  readonly resume = [];
  readonly refresh = cannotRefresh;
  readonly #touched: () => void;

  constructor(domain: Domain, touched: () => void) {
    super(domain, () => this.viewer);
    this.#touched = touched;
  }

  get viewer(): never {
    this.#touched();
    throw new Error('What is executed once for many depends on its viewer.');
  }

  get connectionId(): never {
    return this.viewer;
  }
}

/** Each is made when it is first asked for: most executions need one or none. */
class FreshLoaders implements Loaders {
  readonly #domain: Domain;
  readonly #viewer: () => Viewer | null;
  readonly #portion: Portion;
  #made: { -readonly [Name in keyof Loaders]?: Loaders[Name] } = {};

  constructor(domain: Domain, viewer: () => Viewer | null, portion: Portion) {
    this.#domain = domain;
    this.#viewer = viewer;
    this.#portion = portion;
  }

  get user(): Loaders['user'] {
    this.#made.user ??= this.#loader((ids) => this.#domain.users.byIds(ids), null);
    return this.#made.user;
  }

  get channel(): Loaders['channel'] {
    this.#made.channel ??= this.#loader((ids) => this.#domain.channels.byIds(ids), null);
    return this.#made.channel;
  }

  get message(): Loaders['message'] {
    this.#made.message ??= this.#loader((ids) => this.#domain.messages.byIds(ids), null);
    return this.#made.message;
  }

  get memberCount(): Loaders['memberCount'] {
    this.#made.memberCount ??= this.#loader(
      (ids) => this.#domain.channels.memberCounts(ids),
      0,
    ) as Loaders['memberCount'];
    return this.#made.memberCount;
  }

  get online(): Loaders['online'] {
    this.#made.online ??= this.#loader(
      (ids) => this.#domain.sessions.online(ids),
      false,
    ) as Loaders['online'];
    return this.#made.online;
  }

  get viewerRole(): Loaders['viewerRole'] {
    if (this.#made.viewerRole) return this.#made.viewerRole;
    const viewer = this.#viewer();
    this.#made.viewerRole = this.#loader(
      async (ids) => (viewer ? this.#domain.channels.rolesOf(viewer, ids) : new Map<string, ChannelRole>()),
      null,
    );
    return this.#made.viewerRole;
  }

  #loader<Value, None>(
    read: (ids: readonly string[]) => Promise<Map<string, Value>>,
    none: None,
  ): DataLoader<string, Value | None> {
    const batch = async (ids: readonly string[]) => {
      const found = await this.#portion.read(() => read(ids));
      return ids.map((id) => found.get(id) ?? none);
    };
    return new DataLoader(batch, { maxBatchSize: mostTogether });
  }
}

/** As many as a page has: more may be too large together. */
const mostTogether = 100;
