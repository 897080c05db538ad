export { createRealtimeClient } from './client.ts';
export { OperationError } from './errors.ts';
export { localPositions } from './positions.ts';
export type {
  Connection,
  GraphQLFailure,
  OperationResult,
  PositionStorage,
  RealtimeClient,
  RealtimeClientOptions,
  RealtimeTransport,
  Refused,
  Request,
  Resync,
  Sink,
} from './types.ts';
