import type { RealtimeClient } from '../types.ts';

const shortestMs = 250;
const longestMs = 30_000;

/** Codes of what may go well the next time, unchanged. */
const passing = new Set(['NETWORK_ERROR', 'RATE_LIMITED', 'TOKEN_UNAVAILABLE', 'UNAVAILABLE']);

/** What this and its like have in common: `code` of the contract, and when to ask again. */
interface Coded {
  readonly code?: unknown;
  readonly retryAfterMs?: unknown;
}

export const codeOf = (error: unknown): string | undefined => {
  const { code } = (error ?? {}) as Coded;
  return typeof code === 'string' ? code : undefined;
};

export const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

/** Whether the same request may succeed later: the network is away, or the server says so. */
export function isPassing(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined || passing.has(code);
}

/**
 * Asks until it is answered, ever less often, and at once when the connection comes back.
 * @throws what is refused for good, and the signal's reason
 */
export async function persist<Answer>(
  ask: () => Promise<Answer>,
  { client, signal, troubled }: Persistence,
): Promise<Answer> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error) || client.connection.status === 'disposed') throw error;
      troubled?.(error);
      await rest(client, signal, waitMs(attempt, error));
    }
  }
}

export interface Persistence {
  readonly client: RealtimeClient;
  readonly signal: AbortSignal;
  /** Told of each failure that is not the last word. */
  readonly troubled?: (error: unknown) => void;
}

/** Doubles, from a quarter of a second to half a minute, with a part of chance; or what the server asks for. */
export function waitMs(attempt: number, error?: unknown): number {
  const { retryAfterMs } = (error ?? {}) as Coded;
  const longest = Math.min(shortestMs * 2 ** Math.min(attempt, 16), longestMs);
  const chosen = longest * (0.5 + Math.random() / 2);
  return typeof retryAfterMs === 'number' ? Math.max(retryAfterMs, chosen) : chosen;
}

/** Waits so long, or until the connection is there again. Rejects when the signal is aborted. */
export function rest(client: RealtimeClient, signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let wasConnected = client.connection.status === 'connected';
    const timer = setTimeout(end, ms);
    const leave = client.onConnection(() => {
      const isConnected = client.connection.status === 'connected';
      if (isConnected && !wasConnected) end();
      wasConnected = isConnected;
    });
    signal.addEventListener('abort', end);
    if (signal.aborted) end();

    function end(): void {
      clearTimeout(timer);
      leave();
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    }
  });
}
