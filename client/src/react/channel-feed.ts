import {
  ChannelMessageDocument,
  ChannelMessagesDocument,
  type ChannelMessagesQuery,
  type ChannelPartsFragment,
  DeleteMessageDocument,
  EditMessageDocument,
  SendMessageDocument,
} from '../documents/graphql.ts';
import { failure } from '../errors.ts';
import type { RealtimeClient } from '../types.ts';
import {
  type ChannelPage,
  type ChannelState,
  isOwn,
  type Message,
  messagesOf,
  type Sending,
  unreadChannel,
  withAnswer,
  withEvent,
  withOlderPage,
  withoutSending,
  withRefusal,
  withRetry,
  withSending,
  withState,
} from './channel-state.ts';
import { follow, streamOf } from './follow.ts';
import { newId } from './new-id.ts';
import { asError, persist } from './patience.ts';
import type { Feed } from './shelf.ts';
import { isFull } from './window.ts';

/** A message as it is shown. */
export interface ChatMessage extends Message {
  /** Stays the same when a message that is being sent becomes one that is sent. */
  readonly key: string;
  readonly status: 'sent' | 'sending' | 'failed';
  /** Why it was refused. */
  readonly error: Error | null;
}

/** What is said beside the text of a message. */
export interface SendOptions {
  /** Any JSON value. */
  readonly data?: unknown;
  /** A message of the same channel. */
  readonly replyToId?: string;
}

export interface ChannelSnapshot {
  readonly channel: ChannelPartsFragment | null;
  /** Oldest first; what is being sent last. */
  readonly messages: readonly ChatMessage[];
  readonly hasOlder: boolean;
  readonly loading: boolean;
  readonly error: Error | null;
}

export const noChannelYet: ChannelSnapshot = {
  channel: null,
  messages: [],
  hasOlder: false,
  loading: true,
  error: null,
};

/** One channel: its history, and everything that is sent to it, by the viewer or by others. */
export class ChannelFeed implements Feed<ChannelSnapshot> {
  readonly #client: RealtimeClient;
  readonly #name: string;
  readonly #changed: () => void;
  #state: ChannelState = unreadChannel;
  #isLoading = true;
  #error: Error | null = null;
  #snapshot: ChannelSnapshot | null = null;
  #stop: (() => void) | null = null;
  #reading: Promise<void> | null = null;
  /** Ends when the state that it was asked behind is no more. */
  #opened = new AbortController();
  #pageSize: number;
  /** The same object as long as the message is the same: a list draws again what has changed. */
  readonly #shown = new WeakMap<Message | Sending, ChatMessage>();

  constructor(client: RealtimeClient, name: string, pageSize: number, changed: () => void) {
    this.#client = client;
    this.#name = name;
    this.#pageSize = pageSize;
    this.#changed = changed;
  }

  get snapshot(): ChannelSnapshot {
    this.#snapshot ??= this.#show();
    return this.#snapshot;
  }

  get isBusy(): boolean {
    return this.#state.sendings.some(({ answer }) => !answer);
  }

  open(): void {
    this.#isLoading = true;
    this.#stop = follow<ChannelPage>(this.#client, {
      load: async (signal) => {
        const data = await this.#read(null, signal);
        const { position, viewer } = data;
        return {
          position,
          state: { channel: channelOf(data, this.#name), viewer: viewer.user, page: pageOf(data) },
        };
      },
      loaded: (page) => {
        this.#opened.abort();
        this.#opened = new AbortController();
        this.#isLoading = false;
        this.#error = null;
        this.#become(withState(this.#state, page));
      },
      streams: [
        streamOf(
          { document: ChannelMessageDocument, variables: { channel: this.#name } },
          ({ data, errors }) => {
            if (!data || errors) return false;
            this.#become(withEvent(this.#state, data.channelMessage));
            return isFull(this.#state.window) ? 'enough' : true;
          },
        ),
      ],
      troubled: (error) => this.#fail(error, this.#isLoading),
      failed: (error) => this.#fail(error, false),
    });
  }

  close(): void {
    this.#stop?.();
    this.#stop = null;
    this.#opened.abort();
  }

  /** Reads everything anew, also after it was refused for good. */
  reload(): void {
    if (!this.#stop) return;
    this.close();
    this.open();
    this.#become(this.#state);
  }

  /** Shown at once, and sent until it is answered. Answers its `clientId`. */
  send(body: string, { data = null, replyToId }: SendOptions = {}): string {
    const clientId = newId();
    const createdAt = new Date().toISOString();
    const sending = {
      clientId,
      body,
      data,
      replyToId: replyToId ?? null,
      createdAt,
      error: null,
      answer: null,
    };
    this.#become(withSending(this.#state, sending));
    void this.#deliver(sending);
    return clientId;
  }

  /** Sends one that was refused again, as it was: if it has arrived after all, it is there once. */
  retry(clientId: string): void {
    const sending = this.#state.sendings.find((each) => each.clientId === clientId);
    if (!sending?.error) return;
    this.#become(withRetry(this.#state, clientId));
    void this.#deliver(sending);
  }

  /** Forgets one that was refused. */
  discard(clientId: string): void {
    const sending = this.#state.sendings.find((each) => each.clientId === clientId);
    if (sending?.error) this.#become(withoutSending(this.#state, clientId));
  }

  /** Shown when its event comes. */
  async edit(id: string, body: string): Promise<void> {
    await this.#client.execute({ document: EditMessageDocument, variables: { id, body } });
  }

  /** Shown when its event comes. */
  async remove(id: string): Promise<void> {
    await this.#client.execute({ document: DeleteMessageDocument, variables: { id } });
  }

  /** Reads the page before the oldest message. Resolves when it is there, or there is none. */
  loadOlder(): Promise<void> {
    this.#reading ??= this.#readOlder().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readOlder(): Promise<void> {
    const { cursor, hasOlder } = this.#state.window;
    const { signal } = this.#opened;
    if (!hasOlder || signal.aborted) return;
    try {
      const data = await persist(() => this.#read(cursor, signal), { client: this.#client, signal });
      if (!signal.aborted) this.#become(withOlderPage(this.#state, pageOf(data)));
    } catch (error) {
      if (!signal.aborted) this.#fail(error, false);
    }
  }

  #read(before: string | null, signal: AbortSignal): Promise<ChannelMessagesQuery> {
    const variables = { name: this.#name, last: this.#pageSize, before };
    return this.#client.execute({ document: ChannelMessagesDocument, variables }, { signal });
  }

  async #deliver({ clientId, body, data, replyToId }: Sending): Promise<void> {
    const input = { channel: this.#name, body, data, replyToId, clientId };
    try {
      const { sendMessage } = await this.#client.enqueue({
        document: SendMessageDocument,
        variables: { input },
      });
      this.#become(withAnswer(this.#state, clientId, sendMessage));
    } catch (error) {
      this.#become(withRefusal(this.#state, clientId, asError(error)));
    }
  }

  #fail(error: unknown, isLoading: boolean): void {
    this.#isLoading = isLoading;
    this.#error = asError(error);
    this.#become(this.#state);
  }

  #become(state: ChannelState): void {
    this.#state = state;
    this.#snapshot = null;
    this.#changed();
  }

  #show(): ChannelSnapshot {
    const { channel, window, sendings } = this.#state;
    const messages = [
      ...messagesOf(this.#state).map((message) => this.#showMessage(message)),
      ...sendings.map((sending) => this.#showSending(sending)),
    ];
    return { channel, messages, hasOlder: window.hasOlder, loading: this.#isLoading, error: this.#error };
  }

  #showMessage(message: Message): ChatMessage {
    const known = this.#shown.get(message);
    if (known) return known;
    const key = isOwn(this.#state, message) ? (message.clientId ?? message.id) : message.id;
    const shown: ChatMessage = { ...message, key, status: 'sent', error: null };
    this.#shown.set(message, shown);
    return shown;
  }

  #showSending(sending: Sending): ChatMessage {
    const known = this.#shown.get(sending);
    if (known) return known;
    const { clientId, body, data, replyToId, createdAt, error, answer } = sending;
    const replied = replyToId === null ? null : (this.#state.window.rows.get(replyToId) ?? null);
    const shown: ChatMessage = answer
      ? { ...answer, key: clientId, status: 'sent', error: null }
      : {
          ...{ id: clientId, key: clientId, clientId, body, data, createdAt, error },
          ...{ editedAt: null, deletedAt: null, sender: this.#state.viewer },
          replyTo: replied && { id: replied.id, body: replied.body },
          status: error ? 'failed' : 'sending',
        };
    // Until the channel has been read it is not known who that is.
    if (shown.sender) this.#shown.set(sending, shown);
    return shown;
  }
}

function channelOf({ channel }: ChannelMessagesQuery, name: string): ChannelPartsFragment {
  if (!channel) throw failure('NOT_FOUND', `There is no channel "${name}" that you may read.`);
  return channel;
}

function pageOf({ channel }: ChannelMessagesQuery) {
  const rows = channel?.messages.edges.map(({ node }) => node) ?? [];
  const { startCursor, hasPreviousPage } = channel?.messages.pageInfo ?? {};
  return { rows, cursor: startCursor ?? null, hasOlder: hasPreviousPage ?? false };
}
