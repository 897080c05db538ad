import type { RealtimeClient } from '../types.ts';
import { follow } from './follow.ts';
import {
  createInboxRequests,
  type InboxOptions,
  type InboxRequests,
  type NotificationEvent,
} from './inbox-requests.ts';
import {
  type InboxChange,
  type InboxPage,
  type InboxState,
  type Notification,
  nextExpiryOf,
  notificationsOf,
  unreadCountOf,
  unreadInbox,
  withCounting,
  withInbox,
  withInboxChange,
  withMarked,
  withMarking,
  withOlderNotifications,
  withoutMarking,
} from './inbox-state.ts';
import { asError, rest } from './patience.ts';
import type { Feed } from './shelf.ts';
import { isFull } from './window.ts';

export interface InboxSnapshot {
  /** Newest first. */
  readonly notifications: readonly Notification[];
  /** Of all of them, not only of those that have been read from the server. */
  readonly unreadCount: number;
  readonly hasMore: boolean;
  readonly loading: boolean;
  readonly error: Error | null;
}

export const noInboxYet: InboxSnapshot = {
  notifications: [],
  unreadCount: 0,
  hasMore: false,
  loading: true,
  error: null,
};

/** A timer cannot wait for longer. */
const longestTimerMs = 2 ** 31 - 1;
/** Those who share the cause of a counting do not all ask at once. */
const longestHesitationMs = 500;
/** So many are marked at the same time. */
const mostMarkings = 8;

/** The viewer's notifications, of one category or of all. */
export class InboxFeed implements Feed<InboxSnapshot> {
  readonly #client: RealtimeClient;
  readonly #requests: InboxRequests;
  readonly #changed: () => void;
  #state: InboxState = unreadInbox;
  #isLoading = true;
  #error: Error | null = null;
  /** Why the last marking was refused; forgotten with the next. */
  #refusal: Error | null = null;
  #snapshot: InboxSnapshot | null = null;
  #stop: (() => void) | null = null;
  #paging: Promise<void> | null = null;
  /** Ends when the state that something was asked behind is no more. */
  #opened = new AbortController();
  #expiry: ReturnType<typeof setTimeout> | undefined;
  #markings = 0;
  /** The last marking of each notification, while it goes on. */
  readonly #marking = new Map<string, Promise<void>>();
  /** While the unread ones are counted: what has been told since that was asked. */
  #sinceCounting: InboxChange[] | null = null;
  /** Notifications that are too large for the stream, and how often it has told of them, while they are read. */
  readonly #large = new Map<string, number>();

  constructor(client: RealtimeClient, options: InboxOptions, changed: () => void) {
    this.#client = client;
    this.#requests = createInboxRequests(client, options);
    this.#changed = changed;
  }

  get snapshot(): InboxSnapshot {
    this.#snapshot ??= this.#show();
    return this.#snapshot;
  }

  get isBusy(): boolean {
    return this.#marking.size > 0;
  }

  open(): void {
    this.#isLoading = true;
    this.#stop = follow<InboxPage>(this.#client, {
      load: this.#requests.load,
      loaded: (page) => {
        this.#leaveState();
        this.#opened = new AbortController();
        this.#isLoading = false;
        this.#error = null;
        this.#refusal = null;
        this.#become(withInbox(this.#state, page));
      },
      streams: this.#requests.streams((event, isBroken) => {
        this.#hear(event, isBroken);
        return isFull(this.#state.window) ? 'enough' : true;
      }),
      troubled: (error) => this.#fail(error, this.#isLoading),
      failed: (error) => this.#fail(error, false),
    });
  }

  close(): void {
    this.#stop?.();
    this.#stop = null;
    this.#leaveState();
    clearTimeout(this.#expiry);
  }

  /** Reads everything anew, also after it was refused for good. */
  reload(): void {
    if (!this.#stop) return;
    this.close();
    this.open();
    this.#become(this.#state);
  }

  /** Shown at once, and taken back when it is refused. Resolves when it is answered. */
  markRead(id: string, isRead: boolean): Promise<void> {
    this.#markings += 1;
    const number = this.#markings;
    this.#refusal = null;
    this.#become(withMarking(this.#state, { id, isRead, number }));
    // In the order of the viewer's markings, whichever way each of them takes.
    const marking = (this.#marking.get(id) ?? Promise.resolve()).then(() => this.#mark(id, isRead, number));
    this.#marking.set(id, marking);
    return marking.then(() => {
      if (this.#marking.get(id) !== marking) return;
      this.#marking.delete(id);
      this.#become(this.#state);
    });
  }

  /** Every one that is unread by now, also those that are not shown. */
  async markAllRead(): Promise<void> {
    try {
      const ids = await this.#unreadIds();
      const markNext = async (): Promise<void> => {
        for (let id = ids.shift(); id !== undefined; id = ids.shift()) await this.markRead(id, true);
      };
      await Promise.all(Array.from({ length: mostMarkings }, markNext));
    } catch (error) {
      this.#fail(error, false);
    }
  }

  /** Reads the page behind the last one. Resolves when it is there, or there is none. */
  loadMore(): Promise<void> {
    this.#paging ??= this.#page().finally(() => {
      this.#paging = null;
    });
    return this.#paging;
  }

  async #mark(id: string, isRead: boolean, number: number): Promise<void> {
    try {
      // It is sent whether anybody looks or not.
      const { signal } = new AbortController();
      const notification = await this.#requests.mark(id, isRead, signal);
      this.#become(withMarked(this.#state, notification, number));
    } catch (error) {
      this.#refusal = asError(error);
      this.#become(withoutMarking(this.#state, id, number));
    }
  }

  async #unreadIds(): Promise<string[]> {
    const { unread } = this.#state;
    const isKnown = !this.#isLoading && unread.others === 0;
    if (isKnown) return [...unread.ids.keys()];
    // Whatever becomes of the state meanwhile: it was asked for.
    return this.#requests.unreadIds(new AbortController().signal);
  }

  #hear({ recordId: id, membership, omitted, record }: NotificationEvent, isBroken: boolean): void {
    if (membership === 'LEFT') {
      this.#change({ id, notification: null });
    } else if (isBroken || omitted.length > 0) {
      const times = (this.#large.get(id) ?? 0) + 1;
      this.#large.set(id, times);
      void this.#attempt((signal) => this.#readLarge(id, times, signal));
    } else if (record && 'isRead' in record) {
      this.#change({ id, notification: record });
    }
  }

  /** What is told of it meanwhile is newer. */
  async #readLarge(id: string, times: number, signal: AbortSignal): Promise<void> {
    const notification = await this.#requests.one(id, signal);
    if (!signal.aborted && this.#large.get(id) === times) this.#change({ id, notification });
  }

  #change(change: InboxChange): void {
    this.#large.delete(change.id);
    this.#sinceCounting?.push(change);
    this.#become(withInboxChange(this.#state, change));
    if (this.#state.unread.isStale && !this.#sinceCounting)
      void this.#attempt((signal) => this.#count(signal));
  }

  /** Until nothing has been told while it was counted. */
  async #count(signal: AbortSignal): Promise<void> {
    try {
      while (this.#state.unread.isStale) {
        this.#sinceCounting = [];
        await rest(this.#client, signal, Math.random() * longestHesitationMs);
        const since: InboxChange[] = [];
        this.#sinceCounting = since;
        const page = await this.#requests.counting(signal);
        signal.throwIfAborted();
        this.#become(withCounting(this.#state, page, since));
      }
    } finally {
      if (!signal.aborted) this.#sinceCounting = null;
    }
  }

  async #page(): Promise<void> {
    const { cursor, hasOlder } = this.#state.window;
    if (!hasOlder) return;
    await this.#attempt(async (signal) => {
      const page = await this.#requests.page(cursor, signal);
      if (!signal.aborted) this.#become(withOlderNotifications(this.#state, page));
    });
  }

  /** For as long as there is this state. */
  async #attempt(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#opened;
    try {
      if (!signal.aborted) await work(signal);
    } catch (error) {
      if (!signal.aborted) this.#fail(error, false);
    }
  }

  #leaveState(): void {
    this.#opened.abort();
    this.#sinceCounting = null;
    this.#large.clear();
  }

  #fail(error: unknown, isLoading: boolean): void {
    this.#isLoading = isLoading;
    this.#error = asError(error);
    this.#become(this.#state);
  }

  #become(state: InboxState): void {
    this.#state = state;
    this.#snapshot = null;
    this.#changed();
  }

  #show(): InboxSnapshot {
    const now = Date.now();
    this.#wakeAt(nextExpiryOf(this.#state, now), now);
    return {
      notifications: notificationsOf(this.#state, now),
      unreadCount: unreadCountOf(this.#state, now),
      hasMore: this.#state.window.hasOlder,
      loading: this.#isLoading,
      error: this.#error ?? this.#refusal,
    };
  }

  /** Shows what is left when the next one expires. */
  #wakeAt(at: number | null, now: number): void {
    clearTimeout(this.#expiry);
    if (at === null || !this.#stop) return;
    this.#expiry = setTimeout(() => this.#become(this.#state), Math.min(at - now, longestTimerMs));
  }
}
