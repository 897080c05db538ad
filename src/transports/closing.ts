/** Why the server closes a WebSocket. Whether a client comes back by itself follows from the code. */
export const Closing = {
  Forbidden: { code: 4403, reason: 'Forbidden' },
  TokenExpired: { code: 4403, reason: 'token expired' },
  Internal: { code: 4500, reason: 'Internal server error' },
  Draining: { code: 1012, reason: 'Service restart: come back' },
} as const;

export type Closing = (typeof Closing)[keyof typeof Closing];
