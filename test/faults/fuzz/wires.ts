import { createConnection } from 'node:net';
import fc from 'fast-check';
import WebSocket from 'ws';
import { bytes, damaged, json, text } from './nasty.ts';
import type { FuzzedOperation } from './operations.ts';

/** What came back: statuses, close codes and error codes, and all of it as text. */
export interface Outcome {
  readonly statuses: readonly number[];
  readonly closeCode?: number;
  readonly said: string;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly token: string;
}

/** Something to do to a server; resolves when it has answered, or has had the time to. */
export type Deed = (target: Target) => Promise<Outcome>;

const patienceMs = 300;
const paths = [
  '/graphql',
  '/',
  '/live',
  '/ready',
  '/metrics',
  '/realtime/events',
  '/notifications',
  '/notifications/send',
];
const methods = ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'PATCH', 'TRACE', 'CONNECT', 'BREW'];
const names = [
  'accept',
  'content-type',
  'authorization',
  'last-event-id',
  'origin',
  'x-forwarded-for',
  'upgrade',
];
const values = [
  'text/event-stream',
  'application/json',
  'multipart/form-data; boundary=x',
  'text/plain',
  'Bearer x',
  '*/*',
  'websocket',
];

/** A request that says what its target is; everything about it may be odd. */
const request = fc.record({
  method: fc.constantFrom(...methods),
  path: fc.oneof(
    fc.constantFrom(...paths),
    text.map((name) => `/notifications/${encodeSafely(name)}/read`),
    text.map((t) => `/${t}`),
  ),
  query: fc.dictionary(
    fc.constantFrom('query', 'variables', 'extensions', 'token', 'channels', 'models', 'after', 'limit'),
    text,
  ),
  headers: fc.array(fc.tuple(fc.constantFrom(...names), fc.oneof(fc.constantFrom(...values), text)), {
    maxLength: 5,
  }),
  body: fc.oneof(
    json.map((value) => JSON.stringify(value) ?? ''),
    text,
  ),
  isSignedIn: fc.boolean(),
});

const withBody = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

function spell(
  {
    method,
    path,
    query,
    headers,
    body,
    isSignedIn,
  }: typeof request extends fc.Arbitrary<infer T> ? T : never,
  token: string,
): Buffer {
  const search = new URLSearchParams(Object.entries(query)).toString();
  const lines = headers.map(([name, value]) => `${name}: ${value.replace(/[\r\n]/g, ' ')}`);
  if (isSignedIn) lines.push(`authorization: Bearer ${token}`);
  const sent = Buffer.from(withBody.has(method) ? body : '');
  if (withBody.has(method)) lines.push('content-type: application/json', `content-length: ${sent.length}`);
  const target = path.replace(/[\s#?]/g, '_') + (search && `?${search}`);
  const head = `${method} ${target} HTTP/1.1\r\nhost: localhost\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head), sent]);
}

const encodeSafely = (name: string) => (name.isWellFormed() ? encodeURIComponent(name) : '%ED%A0%80');

export const rawHttp: fc.Arbitrary<Deed> = fc
  .tuple(fc.constantFrom('sound', 'damaged', 'noise'), request, bytes)
  .chain(([kind, asked, noise]) =>
    kind === 'noise'
      ? fc.constant<Deed>((target) => speak(target, noise))
      : kind === 'sound'
        ? fc.constant<Deed>((target) => speak(target, spell(asked, target.token)))
        : damaged(fc.constant(spell(asked, 'token'))).map<Deed>((sent) => (target) => speak(target, sent)),
  );

/** Says something over a connection of its own, and listens until it ends or nothing more comes. */
function speak({ host, port }: Target, sent: Buffer): Promise<Outcome> {
  return new Promise((resolve) => {
    let said = '';
    const wire = createConnection({ host, port }, () => wire.write(sent));
    const over = () => {
      wire.destroy();
      const statuses = [...said.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
      resolve({ statuses, said });
    };
    wire.setTimeout(patienceMs, over);
    wire.on('data', (data) => {
      said += data.toString('latin1');
    });
    wire.once('error', over);
    wire.once('close', over);
  });
}

const messageTypes = ['connection_init', 'ping', 'pong', 'subscribe', 'next', 'error', 'complete'];

const message = (operation: fc.Arbitrary<FuzzedOperation>) =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: operation.map((payload) => ({ type: 'subscribe', id: `${payload.query.length}`, payload })),
    },
    {
      weight: 1,
      arbitrary: fc.record(
        { type: fc.constantFrom(...messageTypes), id: json, payload: json },
        { requiredKeys: ['type'] },
      ),
    },
    { weight: 1, arbitrary: json },
  );

/** A socket that mostly introduces itself, and then says anything. */
export const chatter = (operation: fc.Arbitrary<FuzzedOperation>): fc.Arbitrary<Deed> =>
  fc
    .tuple(fc.integer({ min: 0, max: 9 }), fc.array(message(operation), { maxLength: 12 }), fc.boolean())
    .map(([dice, messages, isCut]) => (target) => {
      const init = { type: 'connection_init', payload: dice === 0 ? null : { token: target.token } };
      const texts = messages.map((each) => JSON.stringify(each) ?? '');
      return converse(target, dice === 1 ? texts : [JSON.stringify(init), ...texts], isCut);
    });

/** The same with bytes: frames of any kind, masked or not, whole or not, behind a good handshake. */
export const rawSocket: fc.Arbitrary<Deed> = fc
  .array(fc.oneof(bytes, damaged(fc.tuple(fc.integer({ min: 0, max: 15 }), bytes).map(frame))), {
    maxLength: 6,
  })
  .map((frames) => (target) => {
    const key = Buffer.from('0123456789abcdef').toString('base64');
    const head = `GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n`;
    return speak(target, Buffer.concat([Buffer.from(head), ...frames]));
  });

function frame([opcode, payload]: [number, Buffer]): Buffer {
  const mask = Buffer.from([1, 2, 3, 4]);
  const length =
    payload.length < 126
      ? Buffer.from([0x80 | payload.length])
      : Buffer.from([0xfe, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([
    Buffer.from([0x80 | opcode]),
    length,
    mask,
    payload.map((byte, at) => byte ^ mask[at % 4]!),
  ]);
}

function converse({ host, port }: Target, texts: readonly string[], isCut: boolean): Promise<Outcome> {
  return new Promise((resolve) => {
    let said = '';
    const socket = new WebSocket(`ws://${host}:${port}/graphql`, 'graphql-transport-ws');
    const patience = setTimeout(() => (isCut ? socket.terminate() : socket.close()), patienceMs);
    socket.on('open', () => {
      for (const each of texts) socket.send(each);
    });
    socket.on('message', (data) => {
      said += `${data}\n`;
    });
    socket.on('error', () => {});
    socket.on('close', (closeCode) => {
      clearTimeout(patience);
      resolve({ statuses: [], closeCode, said });
    });
  });
}

/** Operations over HTTP, as answers or as streams. */
export const asked = (operation: fc.Arbitrary<FuzzedOperation>): fc.Arbitrary<Deed> =>
  fc
    .tuple(operation, fc.constantFrom('application/json', 'text/event-stream'))
    .map(([{ query, variables }, accept]) => async ({ host, port, token }) => {
      const body = JSON.stringify({ query, variables });
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}`, accept };
      const signal = AbortSignal.timeout(patienceMs * 4);
      try {
        const response = await fetch(`http://${host}:${port}/graphql`, {
          method: 'POST',
          headers,
          body,
          signal,
        });
        const [said, isStream] = ['', accept === 'text/event-stream'];
        if (!isStream) return { statuses: [response.status], said: await response.text() };
        let heard = said;
        const reader = response.body!.getReader();
        const late = setTimeout(() => void reader.cancel(), patienceMs);
        for (let part = await reader.read(); !part.done; part = await reader.read())
          heard += Buffer.from(part.value);
        clearTimeout(late);
        return { statuses: [response.status], said: heard };
      } catch (error) {
        return { statuses: [], said: String(error) };
      }
    });
