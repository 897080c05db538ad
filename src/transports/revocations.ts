import type { RevocationPayload } from '../domain/session.ts';
import { nodes } from '../domain/topics.ts';
import { forbidden } from '../errors.ts';
import type { JournalEvent } from '../realtime/event.ts';
import type { Hub } from '../realtime/hub.ts';
import type { Watcher } from '../realtime/watcher.ts';
import { Closing } from './closing.ts';
import type { Connections } from './connections.ts';

/** So many events are remembered as met: what is read late may be told twice. */
const remembered = 1_000;
/** While the database is away, who is blocked is asked again this often. */
const retryMs = 250;

/**
 * What every node is told: whose connections end, and who is blocked. Nothing above the watermark is delivered,
 * and the watermark passes no such event before it was told here: so what is committed after it reaches nobody
 * whom it ends.
 */
export class Revocations implements Watcher {
  readonly #hub: Hub;
  readonly #connections: Connections;
  #met = new Set<number>();
  /** The last word on each user, by its position; 0 for what was read at the start. */
  #blocked = new Map<string, { readonly position: number; readonly isBlocked: boolean }>();
  readonly #readBlocked: () => Promise<readonly string[]>;
  readonly #failed: (error: unknown) => void;
  #following: Promise<void> | undefined;
  #opened: () => void = () => {};
  #isClosed = false;

  constructor({ hub, connections, readBlocked, failed }: RevocationsOptions) {
    this.#hub = hub;
    this.#connections = connections;
    this.#readBlocked = readBlocked;
    this.#failed = failed;
  }

  /** Follows first and reads who is blocked after, so that nobody falls between the two. */
  async start(): Promise<void> {
    this.#following ??= new Promise((resolve) => {
      this.#opened = resolve;
      this.#hub.attach([nodes], this);
    });
    await this.#following;
    await this.#read();
  }

  close(): void {
    this.#isClosed = true;
    this.#hub.detach([nodes], this);
  }

  isBlocked(userId: string): boolean {
    return this.#blocked.get(userId)?.isBlocked ?? false;
  }

  arrived({ position, type, payload }: JournalEvent): void {
    if (this.#met.has(position)) return;
    this.#met.add(position);
    if (this.#met.size > remembered) this.#met.delete(this.#met.values().next().value!);
    const { userId, connectionId, reason } = payload as RevocationPayload;
    if (type !== 'user.disconnected' && position > (this.#blocked.get(userId)?.position ?? -1)) {
      this.#blocked.set(userId, { position, isBlocked: type === 'user.blocked' });
    }
    if (type === 'user.unblocked') return;
    const closing = reason ? { ...Closing.Forbidden, reason } : Closing.Forbidden;
    this.#connections.end(userId, connectionId, closing, forbidden(reason));
  }

  /** What has been told since the topic is followed is newer. */
  async #read(): Promise<void> {
    const blocked = new Set(await this.#readBlocked());
    for (const userId of new Set([...blocked, ...this.#blocked.keys()])) {
      const told = this.#blocked.get(userId)?.position ?? 0;
      if (told === 0) this.#blocked.set(userId, { position: 0, isBlocked: blocked.has(userId) });
    }
  }

  /** What was said last may be no more. */
  renewed(): void {
    this.#met.clear();
    for (const [userId, { isBlocked }] of this.#blocked)
      this.#blocked.set(userId, { position: 0, isBlocked });
    this.#opened = () => {
      this.#opened = () => {};
      void this.#readAgain();
    };
  }

  /** What cannot be read now is read later: until then what was last known holds. */
  async #readAgain(): Promise<void> {
    while (!this.#isClosed) {
      try {
        return await this.#read();
      } catch (error) {
        this.#failed(error);
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  }

  whispered(): void {}

  /** The topic is followed from here on. */
  advanced(): void {
    this.#opened();
  }
}

interface RevocationsOptions {
  readonly hub: Hub;
  readonly connections: Connections;
  /** The ids of the users that are blocked now. */
  readBlocked(): Promise<readonly string[]>;
  failed(error: unknown): void;
}
