/** For what is about something else: a crowd that comes from one address and does as much as it can, and no demo. */
export const unlimited = {
  DEMO: '0',
  MAX_CONNECTIONS_PER_USER: '1000000',
  CONNECTION_RATE_PER_IP: '10000000/1m',
  SOCKET_MESSAGE_RATE: '10000000/1m',
  OPERATION_RATE_PER_USER: '10000000/1m',
  MESSAGE_RATE_PER_USER: '10000000/1m',
} as const;
