import type { ConnectionCounts } from '../db/connection-counts.ts';
import type { Viewer } from '../domain/viewer.ts';
import { inTime } from '../lib/in-time.ts';

/** Who opens a connection does not wait longer for what the database says of the other nodes. */
const answerMs = 250;
/** Connections that opened at the same moment on several nodes are looked at again, this often and for so long. */
const lookMs = 1_000;
const lookedAtMs = 3_500;

/** A connection that may turn out to be one too many. */
export interface Guest {
  readonly id: string;
  /** Ends it. */
  tooMany(): void;
}

/** Gives the place of a connection back. */
export type Leave = () => void;

/**
 * How many connections a user may have open in the cluster, and an address before it is known whose they are.
 *
 *   opening ──► this node's own, exactly ──► and the others', as they are written down ──► open
 *                                                          a moment later: whoever is beyond the limit ends
 *
 * What nodes write down is some milliseconds old, so that several nodes may let in at once what only one of them
 * should have. Then the latest of them end.
 */
export class Places {
  readonly #most: number;
  readonly #counts: ConnectionCounts | null;
  readonly #failed: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout | undefined;
  #taken = new Map<string, number>();
  /** Those that have just come. */
  #recent = new Map<string, { userId: string; until: number; guest: Guest }>();
  #isLooking = false;

  constructor({ most, counts, failed }: PlacesOptions) {
    this.#most = most;
    this.#counts = counts;
    this.#failed = failed;
    if (counts) this.#timer = setInterval(() => void this.#look(), lookMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Of who has not said who it is. Null: all are taken. */
  wait(owner: string): Leave | null {
    return this.#take(owner);
  }

  /** Of a user. Null: all are taken. */
  async enter({ id: userId, roles }: Viewer, guest: Guest): Promise<Leave | null> {
    if (roles.includes('service')) return () => {};
    const leave = this.#take(`user ${userId}`);
    if (!leave || !this.#counts) return leave;
    // Those that come while this one waits do not keep it out.
    const here = this.#taken.get(`user ${userId}`)!;
    if (here + (await this.#elsewhere(userId)) > this.#most) {
      leave();
      return null;
    }
    this.#recent.set(guest.id, { userId, until: performance.now() + lookedAtMs, guest });
    return () => {
      this.#recent.delete(guest.id);
      leave();
    };
  }

  #take(owner: string): Leave | null {
    const taken = this.#taken.get(owner) ?? 0;
    if (taken >= this.#most) return null;
    this.#taken.set(owner, taken + 1);
    let isLeft = false;
    return () => {
      if (isLeft) return;
      isLeft = true;
      const rest = this.#taken.get(owner)! - 1;
      if (rest > 0) this.#taken.set(owner, rest);
      else this.#taken.delete(owner);
    };
  }

  /** None that is known of where there is no answer: a database that is away keeps nobody out. */
  #elsewhere(userId: string): Promise<number> {
    const counted = this.#counts!.elsewhere(userId);
    counted.catch(this.#failed);
    return inTime(counted, 0, answerMs);
  }

  async #look(): Promise<void> {
    if (this.#isLooking || this.#recent.size === 0) return;
    this.#isLooking = true;
    const now = performance.now();
    const userIds = [...new Set([...this.#recent.values()].map(({ userId }) => userId))];
    try {
      for (const id of await this.#counts!.beyond(userIds, this.#most)) this.#recent.get(id)?.guest.tooMany();
      for (const [id, { until }] of this.#recent) if (until < now) this.#recent.delete(id);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isLooking = false;
    }
  }
}

interface PlacesOptions {
  readonly most: number;
  /** Null: this node is all there is. */
  readonly counts: ConnectionCounts | null;
  failed(error: unknown): void;
}
