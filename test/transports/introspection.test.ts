import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';

describe('introspection in production', () => {
  let server: TestServer;
  const query = getIntrospectionQuery();

  beforeAll(async () => {
    server = await testServer('embedded', { NODE_ENV: 'production' });
  });
  afterAll(() => server.close());

  test('is for role admin alone, on every wire and whoever asked first', async () => {
    const code = 'GRAPHQL_VALIDATION_FAILED';
    for (let round = 0; round < 2; round += 1) {
      expect((await server.run('ada', query)).errors?.[0]?.extensions.code).toBe(code);
      expect((await server.run('root', query, {}, ['admin'])).data.__schema.queryType.name).toBe('Query');
    }
    const socket = await server.socket('ada');
    const refused = await socket.run({ query }).frame();
    expect(refused?.type === 'error' && refused.payload[0]?.extensions.code).toBe(code);
    const stream = await server.events('ada', { query });
    expect((await stream.stream.next()).errors?.[0]?.extensions.code).toBe(code);
    const admin = await server.socket('root', ['admin']);
    expect((await admin.run({ query }).next()).data.__schema.queryType.name).toBe('Query');
    await socket.close();
    await admin.close();
  });
});
