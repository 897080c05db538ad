import { afterAll, afterEach, beforeAll } from 'vitest';
import WebSocket from 'ws';
import type { Role } from '../../../src/domain/viewer.ts';
import { type TestServer, testServer } from '../../../test/support/server.ts';
import { until } from '../../../test/support/until.ts';
import { createRealtimeClient, type RealtimeClient, type RealtimeClientOptions } from '../../src/index.ts';
import { Wire } from './wire.ts';

/** Quick enough for tests: a few hundredths of a second between attempts. */
export const hasty = { firstMs: 40, longestMs: 200 };

export interface Site {
  readonly server: TestServer;
  readonly wire: Wire;
  /** A client of the server behind the wire, disposed of after the test. */
  client(userId: string, options?: Partial<RealtimeClientOptions>, roles?: readonly Role[]): RealtimeClient;
  /** A channel of `owner`, with a new name. */
  channel(owner: string): Promise<string>;
  send(userId: string, channel: string, ...bodies: string[]): Promise<void>;
}

/** One server and one wire to it for the tests of a file. */
export function site(environment: Record<string, string> = {}): Site {
  const parts: { server?: TestServer; wire?: Wire } = {};
  const clients: RealtimeClient[] = [];
  let channels = 0;

  beforeAll(async () => {
    parts.server = await testServer('embedded', environment);
    parts.wire = await Wire.to(parts.server.url);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.dispose();
    parts.wire!.mend();
    // So that the next test sees its own alone.
    await until('nothing is subscribed to', 30_000, async () => {
      const text = await (await fetch(`${parts.server!.url}/metrics`)).text();
      return !/^realtime_subscriptions\{.*\} [1-9]/m.test(text);
    });
  });
  afterAll(async () => {
    await parts.wire?.close();
    await parts.server?.close();
  });

  return {
    get server() {
      return parts.server!;
    },
    get wire() {
      return parts.wire!;
    },
    client(userId, options = {}, roles = []) {
      const client = createRealtimeClient({
        url: `${parts.wire!.url}/graphql`,
        token: () => parts.server!.token(userId, roles),
        webSocketImpl: WebSocket,
        retry: hasty,
        ...options,
      });
      clients.push(client);
      return client;
    },
    async channel(owner) {
      channels += 1;
      const name = `channel-${channels}`;
      await parts.server!.ask(owner, `mutation { createChannel(input: { name: "${name}" }) { id } }`);
      return name;
    },
    async send(userId, channel, ...bodies) {
      const mutation = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { id } }';
      for (const body of bodies) await parts.server!.ask(userId, mutation, { input: { channel, body } });
    },
  };
}
