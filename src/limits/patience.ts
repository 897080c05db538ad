/** How long is waited for others: for clients that have not said yet what they want, and for Redis. */
export interface Patience {
  /** For the end of a request's head. */
  readonly headMs: number;
  /** For the end of a request, its body included. */
  readonly requestMs: number;
  /** For `connection_init` on a WebSocket. */
  readonly initMs: number;
  /** How often it is looked who takes too long. */
  readonly lookMs: number;
  /** For Redis to answer whether something is allowed. After that a node decides alone. */
  readonly countMs: number;
}

export const usualPatience: Patience = {
  headMs: 10_000,
  requestMs: 60_000,
  initMs: 10_000,
  lookMs: 1_000,
  countMs: 100,
};
