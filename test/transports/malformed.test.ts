import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';

describe('a request that is not JSON', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('embedded');
  });
  afterAll(() => server.close());

  test.each(['application/json', 'application/graphql-response+json', 'text/event-stream'])(
    'is refused with 400 and without our own words for it, when %s is asked for',
    async (accept) => {
      const headers = {
        accept,
        'content-type': 'application/json',
        authorization: `Bearer ${await server.token('ada')}`,
      };
      const byPost = await fetch(`${server.url}/graphql`, { method: 'POST', headers, body: '{' });
      const byGet = await fetch(`${server.url}/graphql?query={position}&variables={bad`, { headers });

      for (const response of [byPost, byGet]) {
        expect(response.status).toBe(400);
        expect((await response.json()).errors[0].extensions).toEqual({ code: 'BAD_USER_INPUT' });
      }
    },
  );
});
