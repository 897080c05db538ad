import { describe, expect, test } from 'vitest';
import { type Connection, Connections } from '../../src/transports/connections.ts';

function fakeConnection(): Connection & { drained: number } {
  return {
    id: 'c',
    userId: 'ada',
    ipAddress: null,
    userAgent: null,
    transport: 'sse',
    channels: [],
    subscriptionCount: 1,
    isSilent: false,
    drained: 0,
    async drain() {
      this.drained += 1;
    },
    end() {},
    destroy() {},
  };
}

describe('the connections of a node that drains', () => {
  test('are all sent away, those too that were let in just before', async () => {
    const connections = new Connections({ opened() {}, closed() {} } as never);
    const [early, late] = [fakeConnection(), fakeConnection()];
    connections.add(early);
    const drained = connections.drain(0);
    connections.add(late);
    await drained;

    expect([early.drained, late.drained]).toEqual([1, 1]);
  });
});
