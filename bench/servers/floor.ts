import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** The least that a broadcast can cost: a list of sockets, and one prepared frame that is sent to each. */
const sockets = new Set<WebSocket>();
const streams = new Set<ServerResponse>();

const server = createServer((request, response) => {
  if (request.method === 'POST') {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      publish(JSON.parse(body).variables.body);
      response.end('{"data":{}}');
    });
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  streams.add(response);
  response.once('close', () => streams.delete(response));
});

const accepting = new WebSocketServer({ server, perMessageDeflate: false });
accepting.on('connection', (socket) => {
  socket.on('message', (data) => {
    const { type } = JSON.parse(String(data));
    if (type === 'connection_init') socket.send('{"type":"connection_ack"}');
    if (type === 'subscribe') sockets.add(socket);
  });
  socket.once('close', () => sockets.delete(socket));
});

let count = 0;
function publish(body: string): void {
  count += 1;
  const sender = { id: 'owner', name: 'owner' };
  const message = { id: crypto.randomUUID(), body, createdAt: new Date().toISOString(), sender };
  const payload = JSON.stringify({
    data: { channelMessage: message },
    extensions: { position: `${count}`.padStart(38, '0') },
  });
  const frame = Buffer.from(`{"id":"s","type":"next","payload":${payload}}`);
  for (const socket of sockets) socket.send(frame, { binary: false });
  const block = Buffer.from(`event: next\ndata: ${payload}\n\n`);
  for (const stream of streams) stream.write(block);
}

server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit(0));
