import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Progress } from '../../src/transports/progress.ts';
import { eventually } from '../support/eventually.ts';

test('who takes nothing is told from who reads slowly and from who has nothing to read', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [writer] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => void reader.destroy());
  // The reader goes with something left to read, which resets the connection.
  writer.on('error', () => {});
  const progress = new Progress();
  expect(progress.since(writer)).toBe('idle');

  // More than a kernel keeps for both ends, in parts.
  reader.pause();
  for (let index = 0; index < 400; index += 1) writer.write(Buffer.alloc(100_000));
  await eventually(() => expect(progress.since(writer)).toBe('stalled'));
  expect(progress.since(writer)).toBe('stalled');

  let heard = 0;
  reader.on('data', (data) => {
    heard += data.length;
    if (heard > 10_000_000) reader.pause();
  });
  reader.resume();
  await eventually(() => expect(progress.since(writer)).toBe('reading'));
  reader.removeAllListeners('data');
  reader.resume();
  await eventually(() => expect(progress.since(writer)).toBe('idle'));
});
