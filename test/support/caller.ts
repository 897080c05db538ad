import { createTokens } from '../../src/auth/tokens.ts';
import type { Role } from '../../src/domain/viewer.ts';
import { EventStreamClient } from './sse.ts';
import { type OperationRequest, type Payload, SocketClient } from './websocket.ts';

/** What is asked of a server from outside, in words. */
export interface Caller {
  readonly url: string;
  token(userId: string, roles?: readonly Role[], lifetimeMs?: number): Promise<string>;
  /** A socket that has been let in. */
  socket(userId: string, roles?: readonly Role[]): Promise<SocketClient>;
  /** An event stream. */
  events(
    userId: string,
    operation: OperationRequest,
    headers?: Record<string, string>,
  ): Promise<EventStreamClient>;
  /** One operation over HTTP, as `userId`. */
  run(
    userId: string,
    query: string,
    variables?: Record<string, unknown>,
    roles?: readonly Role[],
  ): Promise<Payload>;
  /** The same, failing on errors; answers the data. */
  ask(
    userId: string,
    query: string,
    variables?: Record<string, unknown>,
    roles?: readonly Role[],
  ): Promise<any>;
  /** One line of the metrics. */
  metric(line: string): Promise<number | undefined>;
}

/** Tokens are signed with the server's secret. */
export function callerOf(server: string, secret: string): Caller {
  const { sign } = createTokens({ secret });
  const tokens = new Map<string, Promise<string>>();
  const url = `${server}/graphql`;

  const token: Caller['token'] = (userId, roles = [], lifetimeMs = 3_600_000) => {
    const key = `${userId} ${roles} ${lifetimeMs}`;
    const signed = tokens.get(key) ?? sign!({ userId, roles, lifetimeMs });
    tokens.set(key, signed);
    return signed;
  };

  const run: Caller['run'] = async (userId, query, variables = {}, roles = []) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await token(userId, roles)}` },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as Payload;
  };

  return {
    url: server,
    token,
    run,
    socket: async (userId, roles = []) => {
      const client = new SocketClient(url, { authorization: `Bearer ${await token(userId, roles)}` });
      await client.acknowledged;
      return client;
    },
    events: async (userId, operation, headers = {}) =>
      new EventStreamClient(url, await token(userId), operation, headers),
    ask: async (...request) => {
      const { data, errors } = await run(...request);
      if (errors) throw new Error(JSON.stringify(errors));
      return data;
    },
    metric: async (line) => {
      const text = await (await fetch(`${server}/metrics`)).text();
      const found = text.split('\n').find((each) => each.startsWith(`${line} `));
      return found === undefined ? undefined : Number(found.slice(line.length + 1));
    },
  };
}
