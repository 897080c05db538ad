import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientNetworkOf } from '../../src/lib/network.ts';
import { createClientAddressOf } from '../../src/transports/address.ts';
import { eventually } from '../support/eventually.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { SocketClient } from '../support/websocket.ts';

/** The address of the client whose peer is `peer`, with what that says in `X-Forwarded-For`. */
function client(trusted: string[] | undefined, peer: string, forwarded?: string): string | null {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return createClientAddressOf(trusted)({ socket: { remoteAddress: peer }, headers } as IncomingMessage);
}

describe("a client's address", () => {
  test.each([
    ['is that of the peer', undefined, '203.0.113.9', undefined, '203.0.113.9'],
    ['is IPv4 where a socket says it in IPv6', undefined, '::ffff:203.0.113.9', undefined, '203.0.113.9'],
    ['is not what anybody says', undefined, '203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['is not what somebody else than a proxy says', ['10.0.0.0/8'], '203.0.113.9', '1.2.3.4', '203.0.113.9'],
    ['is what a trusted proxy says', ['10.0.0.1'], '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['is what the last proxy saw, not what a client wrote', ['::1'], '::1', '1.1.1.1, 9.9.9.9', '9.9.9.9'],
    [
      'is before the first of several proxies',
      ['10.0.0.0/8'],
      '10.0.0.1',
      '1.1.1.1, 9.9.9.9,10.2.3.4',
      '9.9.9.9',
    ],
    ['is the left-most where all are trusted', ['10.0.0.0/8'], '10.0.0.1', '10.0.0.7, 10.0.0.6', '10.0.0.7'],
    ['is the proxy that says nonsense', ['10.0.0.1'], '10.0.0.1', '1.1.1.1, unknown', '10.0.0.1'],
    ['is the proxy that says nothing', ['10.0.0.1'], '10.0.0.1', '', '10.0.0.1'],
    ['has no port', ['10.0.0.1'], '10.0.0.1', '203.0.113.9:4711', '203.0.113.9'],
    ['has no brackets', ['10.0.0.1'], '10.0.0.1', '[2001:DB8:0::9]:4711', '2001:db8::9'],
    ['is known by a proxy in mapped IPv6', ['10.0.0.0/8'], '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['is known by a mapped network', ['::ffff:10.0.0.0/104'], '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['is known by a network of IPv6', ['fd00::/8'], 'fd12::1', '::ffff:203.0.113.9', '203.0.113.9'],
  ] as const)('%s', (_what, trusted, peer, forwarded, address) => {
    expect(client(trusted && [...trusted], peer, forwarded)).toBe(address);
  });

  test('counts with all of its /64 where it is IPv6', () => {
    expect(clientNetworkOf('203.0.113.9')).toBe('203.0.113.9');
    expect(clientNetworkOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
    expect(clientNetworkOf('2001:db8::6')).toBe('2001:db8:0:0::/64');
    expect(clientNetworkOf('::1')).toBe('0:0:0:0::/64');
  });
});

describe('a spoofed X-Forwarded-For', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer('embedded', { TRUSTED_PROXIES: '127.0.0.0/8,::1' });
  });
  afterAll(() => server.close());

  test('does not hide where a client comes from', async () => {
    const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.9' };
    const token = await server.token('mallory');
    const socket = new SocketClient(`${server.url}/graphql`, { token }, { headers });
    const events = await server.events(
      'mallory',
      { query: 'subscription { notificationReceived { id } }' },
      headers,
    );
    await Promise.all([socket.acknowledged, events.opened]);

    await eventually(async () => {
      const rows = await server.sql(
        'select connection_type, ip_address from realtime_connections order by 1',
      );
      expect(rows).toEqual([
        { connection_type: 'sse', ip_address: '203.0.113.9' },
        { connection_type: 'websocket', ip_address: '203.0.113.9' },
      ]);
    });
    socket.cut();
    events.cut();
  });
});
