import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { chunk, corkForThisTurn, frameHead } from '../../src/transports/frame.ts';
import { eventually } from '../support/eventually.ts';

/** Around every length at which the form of a frame changes, with characters of several bytes. */
const lengths = [0, 1, 124, 125, 126, 127, 1_000, 65_534, 65_535, 65_536, 70_000, 200_000];
const texts = lengths.map((length) => `${'ü'.repeat(Math.min(3, length))}${'x'.repeat(length)}`);

test('a shared frame stands between two of ws, whatever its length', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const heard: string[] = [];
  let pings = 0;
  client.on('message', (data, isBinary) => heard.push(isBinary ? 'binary' : String(data)));
  client.on('ping', () => {
    pings += 1;
  });
  const failed: unknown[] = [];
  client.on('error', (error) => failed.push(error));
  const [socket, request] = (await once(server, 'connection')) as [WebSocket, { socket: Socket }];
  const sent: string[] = [];
  for (const text of texts) {
    socket.send(`before ${text.length}`);
    const [start, rest] = [Buffer.from(`{"id":"é${text.length}",`), Buffer.from(text)];
    corkForThisTurn(request.socket);
    request.socket.write(frameHead(start, rest.length));
    request.socket.write(rest);
    socket.ping();
    socket.send(`after ${text.length}`);
    sent.push(`before ${text.length}`, `${start}${rest}`, `after ${text.length}`);
    if (text.length % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  await eventually(() => expect(heard).toHaveLength(sent.length));
  expect(heard).toEqual(sent);
  expect(pings).toBe(texts.length);
  expect(failed).toEqual([]);
  // What is written past ws counts as what waits in it.
  expect(socket.bufferedAmount).toBe(0);
  request.socket.cork();
  request.socket.write('x'.repeat(1_000));
  expect(socket.bufferedAmount).toBe(1_000);
  client.terminate();
});

test('a shared chunk stands between two of node:http, and the connection goes on', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.flushHeaders();
    expect(response.chunkedEncoding).toBe(true);
    for (const text of texts.filter((text) => text !== '')) {
      response.write('<');
      corkForThisTurn(response.socket!);
      response.socket!.write(chunk(text));
      response.write('>');
    }
    response.end('.');
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (let round = 0; round < 2; round += 1) {
    const whole = texts.filter((text) => text !== '').map((text) => `<${text}>`);
    expect(await (await fetch(url)).text()).toBe(`${whole.join('')}.`);
  }
});
