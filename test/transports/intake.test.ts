import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { Pace } from '../../src/limits/pace.ts';
import { Intake } from '../../src/transports/intake.ts';
import { eventually } from '../support/eventually.ts';

/** Two ends of a socket, of which one is read through an intake. */
async function pair() {
  const wires = new WebSocketServer({ port: 0, host: '127.0.0.1', allowSynchronousEvents: false });
  onTestFinished(() => void wires.close());
  await once(wires, 'listening');
  const sender = new WebSocket(`ws://127.0.0.1:${(wires.address() as AddressInfo).port}`);
  onTestFinished(() => sender.terminate());
  const [[socket]] = await Promise.all([
    once(wires, 'connection') as Promise<[WebSocket]>,
    once(sender, 'open'),
  ]);
  const effort = { restMs: null as number | null };
  const heard: number[] = [];
  new Intake(socket, {
    pace: new Pace({ count: 10_000, perMs: 1_000 }),
    effort: () => effort as never,
    isFull: () => false,
    drained: () => Promise.resolve(),
    flooded: () => {},
    handle: (json) => void heard.push(Number(json)),
  });
  const say = (from: number, to: number) => {
    for (let number = from; number < to; number += 1) sender.send(String(number));
  };
  return { socket, effort, heard, say };
}

const upTo = (count: number) => Array.from({ length: count }, (_, number) => number);

test('who rests is not read, and what has come is handled in order afterwards', async () => {
  const { socket, effort, heard, say } = await pair();
  say(0, 10);
  await eventually(() => expect(heard).toEqual(upTo(10)));
  effort.restMs = 20;
  say(10, 500);
  await eventually(() => expect(socket.isPaused).toBe(true));
  expect(heard).toEqual(upTo(10));
  effort.restMs = null;
  say(500, 1_000);
  await eventually(() => expect(heard).toEqual(upTo(1_000)));
  expect(socket.isPaused).toBe(false);
});

test('others are served between two messages that came at once', async () => {
  const { socket, heard, say } = await pair();
  let turns = 0;
  const count = () => {
    turns += 1;
    if (heard.length < 200) setImmediate(count);
  };
  socket.once('message', () => setImmediate(count));
  say(0, 200);
  await eventually(() => expect(heard).toEqual(upTo(200)));
  expect(turns).toBeGreaterThan(150);
});
