import type { Role } from '../../src/domain/viewer.ts';
import type { TestServer } from './server.ts';
import { EventStreamClient } from './sse.ts';
import type { Payload } from './websocket.ts';

/** Whatever is refused is refused on each of them. */
export const wires = ['HTTP', 'SSE', 'WebSocket'] as const;
export type Wire = (typeof wires)[number];

export interface Asked {
  readonly query?: string;
  readonly variables?: Record<string, unknown>;
  readonly operationName?: string;
  readonly documentId?: string;
  readonly extensions?: Record<string, unknown>;
}

/** The first thing that is said to a request, by whatever wire. */
export async function answerTo(
  server: TestServer,
  wire: Wire,
  asked: Asked,
  { userId = 'ada', roles = [] }: { userId?: string; roles?: readonly Role[] } = {},
): Promise<Payload> {
  // As graphql-ws has it, a message has a text, if an empty one.
  const request = { query: '', ...asked };
  if (wire === 'WebSocket') {
    const socket = await server.socket(userId, roles);
    const frame = await socket.run(request).frame();
    await socket.close();
    if (frame?.type === 'error') return { errors: frame.payload };
    if (frame?.type === 'next') return frame.payload;
    throw new Error(`expected an answer, got ${JSON.stringify(frame)}`);
  }
  const token = await server.token(userId, roles);
  const url = `${server.url}/graphql`;
  if (wire === 'HTTP') {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(asked),
    });
    return (await response.json()) as Payload;
  }
  const client = new EventStreamClient(url, token, request);
  const response = await client.response;
  if (response.statusCode !== 200) throw new Error(`expected a stream, got ${response.statusCode}`);
  const payload = await client.stream.next();
  client.cut();
  return payload;
}
