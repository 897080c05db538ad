import { useMemo } from 'react';
import type { RealtimeClient } from '../types.ts';
import { ChannelFeed, type ChannelSnapshot, noChannelYet, type SendOptions } from './channel-feed.ts';
import { useRealtimeClient } from './provider.ts';
import { createShelf } from './shelf.ts';
import { useFeed, whole } from './use-feed.ts';

const channels = createShelf<ChannelFeed>();

export interface ChannelOptions {
  /**
   * How many messages a page has, 1 to 100. Of several components that show a channel the first one says.
   *
   * @default 50
   */
  readonly first?: number;
}

export interface ChannelActions {
  /** Shown at once, and sent until it is answered. Answers its `clientId`. */
  send(body: string, options?: SendOptions): string;
  /** Sends one that was refused again. If it has arrived after all, it is there once. */
  retry(clientId: string): void;
  /** Forgets one that was refused. */
  discard(clientId: string): void;
  /** Shown when its event comes. Rejects when it is refused. */
  edit(id: string, body: string): Promise<void>;
  /** Shown when its event comes. Rejects when it is refused. */
  remove(id: string): Promise<void>;
  /** Reads the page before the oldest message. */
  loadOlder(): Promise<void>;
  /** Reads everything anew, also after it was refused for good. */
  reload(): void;
}

/** A channel: its history and what is sent from now on, without a gap, and what the viewer is sending. */
export function useChannel(
  name: string,
  { first = 50 }: ChannelOptions = {},
): ChannelSnapshot & ChannelActions {
  const client = useRealtimeClient();
  const place = { shelf: channels, client, key: name, make: makerOf(client, name, first) };
  const snapshot = useFeed(place, noChannelYet, whole<ChannelSnapshot>);
  const actions = useMemo(() => actionsOf(client, name, first), [client, name, first]);
  return useMemo(() => ({ ...snapshot, ...actions }), [snapshot, actions]);
}

const makerOf = (client: RealtimeClient, name: string, first: number) => (changed: () => void) =>
  new ChannelFeed(client, name, first, changed);

function actionsOf(client: RealtimeClient, name: string, first: number): ChannelActions {
  const feed = () => channels.take(client, name, makerOf(client, name, first));
  return {
    send: (body, options) => feed().send(body, options),
    retry: (clientId) => feed().retry(clientId),
    discard: (clientId) => feed().discard(clientId),
    edit: (id, body) => feed().edit(id, body),
    remove: (id) => feed().remove(id),
    loadOlder: () => feed().loadOlder(),
    reload: () => feed().reload(),
  };
}
