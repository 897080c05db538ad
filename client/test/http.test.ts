import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { post } from '../src/http.ts';

const operation = { query: '{ position }' };
const withinMs = 200;

/** What takes every request, and does with it as it is told. */
async function endpointThat(does: (response: ServerResponse) => void) {
  const server = createServer((_request, response) => does(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, fetch, withinMs };
}

test.each<[string, (response: ServerResponse) => void]>([
  ['never answers', () => {}],
  ['begins to answer and stops', (response) => response.write('{ "data": ')],
])('who %s is not waited for for ever', async (_title, does) => {
  const endpoint = await endpointThat(does);
  await expect(post(endpoint, null, operation)).rejects.toMatchObject({
    code: 'NETWORK_ERROR',
    message: 'The server does not answer.',
  });
});

test('an answer that breaks off is a lost one', async () => {
  const endpoint = await endpointThat((response) => {
    response.write('{ "data": ');
    setImmediate(() => response.destroy());
  });
  await expect(post(endpoint, null, operation)).rejects.toMatchObject({
    code: 'NETWORK_ERROR',
    message: 'The server does not answer.',
  });
});
