import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Patience, usualPatience } from '../../src/limits/patience.ts';
import { listen } from '../../src/listen.ts';
import { createHandshakes } from '../../src/transports/handshakes.ts';
import { eventually } from '../support/eventually.ts';

/** A server that reads whatever is asked, and waits no longer than this. */
async function start(patience: Partial<Patience>, trustedProxies?: string[]) {
  const all = { ...usualPatience, ...patience };
  const refused: string[] = [];
  const crowds = new Set<string>();
  const guard = { crowded: (address: string) => void crowds.add(address) };
  const shakeHands = createHandshakes({
    guard,
    refused: (code) => refused.push(code),
    patience: all,
    trustedProxies,
  });
  const equip = (server: Server) => {
    shakeHands(server);
    server.on('request', (request, response) => {
      request.resume().once('end', () => response.end('done'));
    });
  };
  const { servers, port } = await listen(equip, { port: 0, host: '127.0.0.1', patience: all });
  onTestFinished(() => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  });
  return { port, refused, crowds };
}

interface Wire {
  readonly socket: Socket;
  readonly heard: () => string;
  readonly isClosed: () => boolean;
}

function open(port: number): Wire {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let heard = '';
  let isClosed = false;
  socket.on('error', () => {});
  socket.on('data', (part) => (heard += part));
  socket.on('close', () => (isClosed = true));
  return { socket, heard: () => heard, isClosed: () => isClosed };
}

test('a megabyte of what is no request is one refusal', async () => {
  const { port, refused } = await start({});
  const { socket, isClosed } = open(port);
  socket.write('x'.repeat(1_000_000));
  await eventually(() => expect(isClosed()).toBe(true));
  expect(refused).toEqual(['BAD_USER_INPUT']);
});

describe('a handshake without end', () => {
  test.each([
    ['of one header after the other', 'GET / HTTP/1.1\r\n', 'x: y\r\n'],
    ['of a WebSocket', 'GET /graphql HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n', 'x: y\r\n'],
    ['of a body', 'POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n\r\n', 'x'],
  ])('%s is ended with 408', async (_, start_, more) => {
    const { port, refused } = await start({ headMs: 300, requestMs: 600, lookMs: 50 });
    const { socket, heard, isClosed } = open(port);
    socket.write(start_);
    const dripping = setInterval(() => socket.write(more), 50);
    onTestFinished(() => clearInterval(dripping));
    await eventually(() => expect(isClosed()).toBe(true));
    expect(heard()).toMatch(/^HTTP\/1\.1 408 /);
    expect(refused).toEqual(['LIMIT_EXCEEDED']);
  });

  test('of too long a head is ended with 431', async () => {
    const { port, refused } = await start({});
    const { socket, heard, isClosed } = open(port);
    socket.write(`GET / HTTP/1.1\r\nHost: here\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`);
    await eventually(() => expect(isClosed()).toBe(true));
    expect(heard()).toMatch(/^HTTP\/1\.1 431 /);
    expect(refused).toEqual(['LIMIT_EXCEEDED']);
  });

  test('in a crowd of one address is let go of, and whoever asks is answered', async () => {
    const { port, refused, crowds } = await start({ lookMs: 100 });
    const talking = open(port);
    talking.socket.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n');
    await eventually(() => expect(talking.heard()).toContain('done'));
    const crowd = Array.from({ length: 150 }, () => open(port));
    const gone = () => crowd.filter(({ isClosed }) => isClosed()).length;
    await eventually(() => expect(gone()).toBeGreaterThanOrEqual(50));
    expect(talking.isClosed()).toBe(false);
    expect([...crowds]).toEqual(['127.0.0.1']);
    expect(refused.length).toBe(gone());
  });

  test('in a crowd of a trusted proxy is waited for', async () => {
    const { port, refused } = await start({ lookMs: 50 }, ['127.0.0.0/8']);
    const crowd = Array.from({ length: 150 }, () => open(port));
    await Promise.all(crowd.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve))));
    for (const { socket } of crowd) socket.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n');
    await eventually(() => expect(crowd.every(({ heard }) => heard().includes('done'))).toBe(true));
    expect(refused).toEqual([]);
  });
});
