import { until } from '../../../test/support/until.ts';
import type { Connection, RealtimeClient } from '../../src/index.ts';
import type { Site } from './site.ts';

const withinMs = 30_000;

export function hasStatus(client: RealtimeClient, status: Connection['status']): Promise<void> {
  return until(`it is ${status}`, withinMs, () => client.connection.status === status);
}

/** Subscribed to on the server: what commits from now on is heard. */
export function isAttached(site: Site, count: number, field = 'channelMessage'): Promise<void> {
  const line = `realtime_subscriptions{field="${field}"}`;
  return until(`${count} subscriptions are open`, withinMs, async () => {
    return ((await site.server.metric(line)) ?? 0) === count;
  });
}
