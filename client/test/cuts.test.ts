import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { listen } from './support/heard.ts';
import { site } from './support/site.ts';
import { isAttached } from './support/waits.ts';

const there = site();
/** What happens to the wire between two messages. */
const troubles = ['nothing', 'cut', 'down', 'up', 'swallow'] as const;

function happen(trouble: (typeof troubles)[number]): void {
  const { wire } = there;
  if (trouble === 'swallow') wire.swallows = true;
  if (trouble === 'down') wire.isDown = true;
  if (trouble === 'up') wire.isDown = false;
  if (trouble === 'cut' || trouble === 'up' || trouble === 'down') {
    wire.swallows = false;
    wire.cut();
  }
}

/**
 * Whatever happens to the wire while messages are sent, each subscription hears all of them, once and in order:
 * one that is there from the beginning, one that comes back by its key, and both over either transport.
 */
test('nothing is missing and nothing comes twice, wherever the wire is cut', async () => {
  const plan = fc.array(fc.constantFrom(...troubles), { minLength: 5, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(plan, async (plan) => {
      const channel = await there.channel('ann');
      const clients = (['ws', 'sse', 'auto'] as const).map((transport) =>
        there.client('ann', { transport, retry: { firstMs: 5, longestMs: 40 } }),
      );
      const listeners = clients.map((client) => listen(client, channel, { key: channel }));
      await isAttached(there, clients.length);
      const sent = plan.map((_trouble, index) => String(index));
      for (const [index, trouble] of plan.entries()) {
        happen(trouble);
        await there.send('ann', channel, String(index));
      }
      happen('up');
      await eventually(() => expect(listeners.map(({ bodies }) => bodies)).toEqual(clients.map(() => sent)));
      expect(listeners.flatMap(({ errors }) => errors)).toEqual([]);
      expect(listeners.map(({ resyncs }) => resyncs)).toEqual([0, 0, 0]);
      // Nothing more comes: what would come twice would have come before this.
      await there.send('ann', channel, 'last');
      await eventually(() => {
        expect(listeners.map(({ bodies }) => bodies)).toEqual(clients.map(() => [...sent, 'last']));
      });
      for (const client of clients) client.dispose();
      await isAttached(there, 0);
    }),
    { numRuns: 12 },
  );
});
