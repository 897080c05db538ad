import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import WebSocket from 'ws';
import type { Flood } from './flood.ts';

/** Whom this process floods, and as whom. */
export interface Target {
  readonly flood: Flood;
  readonly port: number;
  readonly token: string;
  /** Of the loopback network: the server takes it for somebody else's than the neighbours'. */
  readonly address: string;
  readonly channel: string;
}

const target = JSON.parse(process.argv[2]!) as Target;
/** As many messages go to a socket before it is waited for. */
const breath = 100;
/** So many the server lets one user have. */
const mostSockets = 20;
const newline = '\r\n';
let asked = 0;

const floods: Record<Flood, () => void | Promise<void>> = {
  /** Nothing is sent, but a core is taken, as each of the others takes it. */
  nothing: () => {
    const busy = () => setImmediate(busy);
    busy();
  },

  messages: async () => {
    const kinds = ['{ viewer { id } }', '}{ garbage', null];
    await pour(await openSocket(), (index) => {
      const query = kinds[index % kinds.length];
      return query === null ? { type: 'ping' } : { id: `${index}`, type: 'subscribe', payload: { query } };
    });
  },

  operations: () => {
    const query = 'mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { id } }';
    const join = post({ query: `mutation { joinChannel(name: "${target.channel}") { id } }` });
    const next = () => post({ query, variables: { input: { channel: target.channel, body: `${asked}` } } });
    for (let count = 0; count < 50; count += 1)
      dial(
        () => join,
        (socket) => say(socket, next()),
      );
  },

  subscribes: async () => {
    const query = `subscription { channelMessage(channel: "${target.channel}") { id body } }`;
    const sockets = await Promise.all(Array.from({ length: mostSockets }, openSocket));
    const next = (index: number) => {
      const id = `${index >> 1}`;
      return index % 2 === 0 ? { id, type: 'subscribe', payload: { query } } : { id, type: 'complete' };
    };
    await Promise.all(sockets.map((socket) => pour(socket, next)));
  },

  connects: () => {
    for (let count = 0; count < 50; count += 1) dial(upgrade, (socket) => void socket.resetAndDestroy());
  },

  silent: () => {
    for (let count = 0; count < 500; count += 1) dial(() => `GET /graphql HTTP/1.1${newline}Host: `);
    for (let count = 0; count < 40; count += 1) dial(upgrade);
  },

  texts: async () => {
    // None has been seen before, and each is as long as an operation may be.
    const next = (index: number) => {
      const fields = Array(900).fill('id');
      const query = `subscription T${asked}x${index} { channelMessage(channel: "${target.channel}") { ${fields.join(' ')} } }`;
      return { id: `${index}`, type: 'subscribe', payload: { query } };
    };
    const sockets = await Promise.all(Array.from({ length: mostSockets }, openSocket));
    await Promise.all(sockets.map((socket) => pour(socket, next)));
  },

  bombs: () => {
    // Just as many tokens as are still parsed.
    const aliases = Array.from({ length: 2_400 }, (_, index) => `a${index}:viewer{id}`);
    const bombs = [
      post({ query: `{${aliases.join(' ')}}` }),
      post({ query: `${'{a'.repeat(190)}${'}'.repeat(190)}` }),
      post({ query: '{ viewer { id } }', variables: { deep: nested(90, 20_000) } }),
      post({ query: '{ viewer { id } }', variables: { wide: Array(2_000_000).fill(1) } }),
    ];
    const next = () => bombs[asked % bombs.length]!;
    for (let count = 0; count < 20; count += 1) dial(next, (socket) => say(socket, next()));
  },
};

/** A connection that says something first, and gives way to another like it when it ends. */
function dial(first: () => string, heard: (socket: Socket) => void = () => {}): void {
  const socket = connect({ port: target.port, host: '127.0.0.1', localAddress: target.address });
  socket.once('connect', () => say(socket, first()));
  socket.on('data', (data) => {
    if (data.includes('HTTP/1.1 ')) heard(socket);
  });
  socket.on('error', () => {});
  socket.once('close', () => setImmediate(dial, first, heard));
}

function say(socket: Socket, text: string): void {
  asked += 1;
  socket.write(text);
}

const upgrade = () =>
  [
    'GET /graphql HTTP/1.1',
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Protocol: graphql-transport-ws',
    ...['', ''],
  ].join(newline);

function post(operation: object): string {
  const body = JSON.stringify(operation);
  return [
    'POST /graphql HTTP/1.1',
    'Host: 127.0.0.1',
    `Authorization: Bearer ${target.token}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    ...['', body],
  ].join(newline);
}

/** Lists in lists, side by side: about four megabytes where it is 90 deep and 20,000 wide. */
function nested(depth: number, width: number): unknown {
  let list: unknown[] = [];
  for (let level = 1; level < depth; level += 1) list = [list];
  return Array(width).fill(list);
}

function openSocket(): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${target.port}/graphql`, 'graphql-transport-ws', {
    localAddress: target.address,
    perMessageDeflate: false,
  });
  socket.on('error', fail);
  socket.on('close', (code, reason) => fail(new Error(`closed: ${code} ${reason}`)));
  socket.once('open', () =>
    socket.send(JSON.stringify({ type: 'connection_init', payload: { token: target.token } })),
  );
  return new Promise((resolve) => socket.once('message', () => resolve(socket)));
}

/** As fast as the socket takes it. */
async function pour(socket: WebSocket, messageOf: (index: number) => object): Promise<void> {
  for (let index = 0; ; index += 1) {
    const text = JSON.stringify(messageOf(index));
    asked += 1;
    if (index % breath > 0) socket.send(text);
    else await new Promise((resolve) => socket.send(text, resolve));
  }
}

function fail(error: Error): void {
  console.error(error);
  process.exit(1);
}

process.once('message', () => process.send!(asked, () => process.exit(0)));
process.once('disconnect', () => process.exit(0));
Promise.resolve(floods[target.flood]()).catch(fail);
