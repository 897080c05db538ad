import type { ChannelPartsFragment, MessagePartsFragment, UserPartsFragment } from '../documents/graphql.ts';
import { emptyWindow, isBefore, rowsOf, type Window, type WindowPage, withPage, withTold } from './window.ts';

/** A message as the server shows it. */
export type Message = MessagePartsFragment;

/** A message that this client has sent and that the stream has not told yet. */
export interface Sending {
  readonly clientId: string;
  readonly body: string;
  readonly data: unknown;
  readonly replyToId: string | null;
  /** By this client's clock, as ISO 8601. */
  readonly createdAt: string;
  /** Why it was refused; it is not sent again by itself then. */
  readonly error: Error | null;
  /** What it became: shown until its event comes. */
  readonly answer: Message | null;
}

export interface ChannelState {
  readonly channel: ChannelPartsFragment | null;
  readonly viewer: UserPartsFragment | null;
  readonly window: Window<Message>;
  /** In the order of sending. */
  readonly sendings: readonly Sending[];
}

/** What a channel is read as: itself, who asks, and its newest page. */
export interface ChannelPage {
  readonly channel: ChannelPartsFragment;
  readonly viewer: UserPartsFragment;
  readonly page: WindowPage<Message>;
}

export const unreadChannel: ChannelState = {
  channel: null,
  viewer: null,
  window: emptyWindow,
  sendings: [],
};

/** The channel read anew: what is being sent stays. */
export function withState(state: ChannelState, { channel, viewer, page }: ChannelPage): ChannelState {
  return settled({ ...state, channel, viewer, window: withPage<Message>(emptyWindow, page) });
}

export function withOlderPage(state: ChannelState, page: WindowPage<Message>): ChannelState {
  return settled({ ...state, window: withPage(state.window, page) });
}

/** A message as the stream tells it: sent, edited or deleted, by whomever. */
export function withEvent(state: ChannelState, message: Message): ChannelState {
  return settled({ ...state, window: withTold(state.window, message) });
}

export function withSending(state: ChannelState, sending: Sending): ChannelState {
  return { ...state, sendings: [...state.sendings, sending] };
}

/**
 * The answer to a sending: the message as it was then. It stands for the message no longer than until the stream has
 * told of it, which may be before: what is older than that never takes its place.
 */
export function withAnswer(state: ChannelState, clientId: string, answer: Message): ChannelState {
  return settled(changed(state, clientId, { answer, error: null }));
}

export function withRefusal(state: ChannelState, clientId: string, error: Error): ChannelState {
  return changed(state, clientId, { error });
}

/** A sending that was refused goes again, as it was. */
export function withRetry(state: ChannelState, clientId: string): ChannelState {
  return changed(state, clientId, { error: null });
}

export function withoutSending(state: ChannelState, clientId: string): ChannelState {
  return { ...state, sendings: state.sendings.filter((sending) => sending.clientId !== clientId) };
}

/** What is shown: messages oldest first, and behind them what is being sent. */
export function messagesOf({ window }: ChannelState): Message[] {
  return rowsOf(window);
}

/** Whether a message is one of the viewer's own: a `clientId` is another's as well. */
export function isOwn({ viewer }: ChannelState, { sender }: Message): boolean {
  return viewer !== null && sender?.id === viewer.id;
}

/** Without the sendings that are there as messages, or are in a page that has not been read. */
function settled(state: ChannelState): ChannelState {
  if (state.sendings.length === 0 || !state.viewer) return state;
  const arrived = new Set<string | null>();
  for (const message of state.window.rows.values()) if (isOwn(state, message)) arrived.add(message.clientId);
  const sendings = state.sendings.filter(
    ({ clientId, answer }) => !arrived.has(clientId) && !(answer && isBefore(state.window, answer.id)),
  );
  return sendings.length === state.sendings.length ? state : { ...state, sendings };
}

function changed(state: ChannelState, clientId: string, change: Partial<Sending>): ChannelState {
  const sendings = state.sendings.map((each) => (each.clientId === clientId ? { ...each, ...change } : each));
  return { ...state, sendings };
}
