import { expiryOf } from './claims.ts';
import type { Link } from './link.ts';
import { refreshMutation } from './operation.ts';

export type GetToken = () => Promise<string | null>;

/** A timer can wait for 24 days. */
const longestTimerMs = 2 ** 31 - 1;
const shortestWaitMs = 1_000;
const aheadMs = 60_000;

/**
 * Gives a socket another token before its own expires, so that it need not be closed: a minute before, or after
 * four fifths of what a shorter one has left. Where that fails, the socket is closed by the server in the end, and
 * comes back with a new token.
 */
export class Renewal {
  readonly #link: Link;
  readonly #getToken: GetToken;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(link: Link, token: string | null, getToken: GetToken) {
    this.#link = link;
    this.#getToken = getToken;
    this.#plan(expiryOf(token));
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #plan(expiresAt: number | null): void {
    if (expiresAt === null || this.#isOver) return;
    const leftMs = expiresAt - Date.now();
    if (leftMs < shortestWaitMs) return;
    const waitMs = Math.max(leftMs - Math.min(aheadMs, leftMs / 5), shortestWaitMs);
    this.#timer = setTimeout(
      // What is further off is looked at again when the timer has run out.
      () => (waitMs > longestTimerMs ? this.#plan(expiresAt) : void this.#renew(expiresAt)),
      Math.min(waitMs, longestTimerMs),
    );
  }

  async #renew(expiresAt: number): Promise<void> {
    try {
      const token = await this.#getToken();
      if (this.#isOver) return;
      const isNewer = (expiryOf(token) ?? 0) > expiresAt;
      if (isNewer) {
        const { errors } = await this.#link.execute!(refreshMutation(token!));
        if (!errors) return this.#plan(expiryOf(token));
      }
    } catch {
      // The socket is lost, or nobody gives out tokens for the moment.
    }
    this.#plan(expiresAt);
  }
}
