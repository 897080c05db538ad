import { expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { callerOf } from '../../test/support/caller.ts';
import { freshDatabase } from '../../test/support/database.ts';
import { eventually } from '../../test/support/eventually.ts';
import { freePort } from '../../test/support/free-port.ts';
import { buildMain, NodeProcess, signToken } from '../../test/support/node-process.ts';
import { unlimited } from '../../test/support/unlimited.ts';
import { createRealtimeClient } from '../src/index.ts';
import { listen } from './support/heard.ts';
import { hasty } from './support/site.ts';

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'a node that is ended by %s and started again has lost nobody anything',
  async (signal) => {
    const database = await freshDatabase();
    const main = await buildMain();
    const environment = { DATABASE_URL: database.url, DRAIN_SECONDS: '0', ...unlimited };
    const nodes = await Promise.all(
      ['one', 'other'].map(async (name) => {
        const port = await freePort();
        return new NodeProcess({ name, main, host: '127.0.0.1', port, environment });
      }),
    );
    const [one, other] = nodes as [NodeProcess, NodeProcess];
    const clients = (['ws', 'sse'] as const).map((transport) =>
      createRealtimeClient({
        url: `${one.url}/graphql`,
        token: () => signToken('ann'),
        webSocketImpl: WebSocket,
        retry: hasty,
        transport,
      }),
    );
    onTestFinished(async () => {
      for (const client of clients) client.dispose();
      for (const node of nodes) await node.kill();
      await database.drop();
    });
    await one.start();
    await other.start();

    const { ask } = callerOf(other.url, 'a secret of the fault runs, long enough to be one');
    await ask('ann', 'mutation { createChannel(input: { name: "general" }) { id } }');
    const send = (body: string) =>
      ask('ann', 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { id } }', {
        input: { channel: 'general', body },
      });
    const listeners = clients.map((client) => listen(client, 'general'));
    const haveHeard = (bodies: string[]) =>
      eventually(() => expect(listeners.map((each) => each.bodies)).toEqual(clients.map(() => bodies)));
    await eventually(async () => expect(await one.metric('realtime_subscriptions')).toBe(2));

    await send('before');
    await haveHeard(['before']);
    one.signal(signal);
    await one.ended;
    await send('meanwhile');
    await one.start();
    await send('after');
    await haveHeard(['before', 'meanwhile', 'after']);
  },
);
