/** For what is about something else: a crowd that comes from one address and does as much as it can. */
export const unlimited = {
  MAX_CONNECTIONS_PER_USER: '1000000',
  CONNECTION_RATE_PER_IP: '1000000/1s',
  SOCKET_MESSAGE_RATE: '1000000/1s',
  OPERATION_RATE_PER_USER: '1000000/1s',
  MESSAGE_RATE_PER_USER: '1000000/1s',
} as const;
