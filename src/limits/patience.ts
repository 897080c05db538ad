/** How long is waited for who has not said yet what they want. */
export interface Patience {
  /** For the end of a request's head. */
  readonly headMs: number;
  /** For the end of a request, its body included. */
  readonly requestMs: number;
  /** For `connection_init` on a WebSocket. */
  readonly initMs: number;
  /** How often it is looked who takes too long. */
  readonly lookMs: number;
}

export const usualPatience: Patience = {
  headMs: 10_000,
  requestMs: 60_000,
  initMs: 10_000,
  lookMs: 1_000,
};
