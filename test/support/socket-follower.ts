import { type Client, createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { type Follower, follow } from './follower.ts';
import type { Payload } from './websocket.ts';

const patient = 1_000_000;
/** What graphql-ws closes with in `terminate`. */
const terminated = 4499;

/**
 * For who watches for silence: it does not wait for minutes until a connection is made, and once given up it hears
 * nothing more. ws goes on telling what comes while it closes, as browsers do not, and graphql-ws would take it
 * for messages of the next connection.
 */
class HastySocket extends WebSocket {
  constructor(url: string, protocols: string) {
    super(url, protocols, { handshakeTimeout: 3_000 });
  }

  override close(code?: number, reason?: string): void {
    if (code === terminated) this.terminate();
    else super.close(code, reason);
  }
}

/** A client of npm's graphql-ws as it comes: it waits seconds before it comes back, and begins from now. */
export function followAsStock(follower: Follower, url: string, token: string): () => void {
  const client = createClient({
    ...connection(follower, url, token),
    retryAttempts: patient,
  });
  return subscribe(client, follower, {});
}

/**
 * The same client, told to hand back its last position and to come back within a second. Given `silenceMs`, it
 * pings, and takes a server for gone that has not answered for so long.
 */
export function followResuming(
  follower: Follower,
  url: string,
  token: string,
  { silenceMs }: { silenceMs?: number } = {},
): () => void {
  let overdue: NodeJS.Timeout | undefined;
  const client = createClient({
    ...connection(follower, url, token),
    retryAttempts: patient,
    shouldRetry: () => true,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, Math.random() * 1_000)),
    ...(silenceMs
      ? { keepAlive: silenceMs / 2, connectionAckWaitTimeout: silenceMs, webSocketImpl: HastySocket }
      : {}),
  });
  if (silenceMs) {
    client.on('ping', (isReceived) => {
      if (!isReceived) overdue = setTimeout(() => client.terminate(), silenceMs / 2);
    });
    for (const sign of ['pong', 'closed'] as const) client.on(sign, () => clearTimeout(overdue));
  }
  // Read anew each time that the client subscribes.
  return subscribe(client, follower, {
    get after() {
      return follower.position;
    },
  });
}

function connection(follower: Follower, url: string, token: string) {
  return {
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { token },
    on: { closed: () => follower.lost() },
  };
}

function subscribe(client: Client, follower: Follower, extensions: Record<string, unknown>): () => void {
  const variables = { channel: follower.channel };
  const leave = client.subscribe(
    { query: follow, variables, extensions },
    {
      next: (payload) => follower.hear(payload as Payload),
      error: (error) => follower.end(`gave up: ${reasonOf(error)}`),
      complete: () => follower.end('completed'),
    },
  );
  return () => {
    leave();
    void client.dispose();
  };
}

function reasonOf(error: unknown): string {
  const { code, reason, message } = error as { code?: number; reason?: string; message?: string };
  return message ?? (reason === undefined ? JSON.stringify(error) : `${code} ${reason}`);
}
