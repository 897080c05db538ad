import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { effortless } from '../../src/limits/effort.ts';
import { readBody } from '../../src/transports/body.ts';

test.each(['while its body is read', 'before its body is read'])(
  'who leaves %s is refused, and not waited for',
  async (when) => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write('POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 500\r\n\r\n{"query":');
    const [request] = await once(server, 'request');
    const leave = async () => {
      const left = new Promise((resolve) => request.once('close', resolve));
      client.destroy();
      await left;
    };
    if (when.startsWith('before')) await leave();
    const reading = readBody(request, { most: 1_000, effort: effortless });
    const refused = expect(reading).rejects.toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
    if (when.startsWith('while')) await leave();
    await refused;
  },
);
