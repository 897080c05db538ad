import { expect, test } from 'vitest';
import type { JournalEvent } from '../../src/realtime/event.ts';
import { Group } from '../../src/realtime/group.ts';
import { silent } from '../../src/realtime/meter.ts';
import { Renderings } from '../../src/realtime/renderings.ts';
import { Subscriber } from '../../src/realtime/subscriber.ts';
import { eventually } from '../support/eventually.ts';
import { Listener, Lives, turn } from './lives.ts';

const timing = { missingMs: 10, silenceMs: 30, pollMs: 10, listenMs: 20 };

test('a node that was away until the journal was dropped ends whoever missed something, and nobody else', async () => {
  const world = new Lives(timing);
  await world.hub.start();
  const render = (event: object) => ({ payload: (event as JournalEvent).id, position: '', bytes: {} });
  const follow = async (topic: string) => {
    const renderings = new Renderings({ render, meter: silent });
    const group = new Group({ hub: world.hub, meter: silent, renderings, emptied: () => {} });
    const sink = new Listener();
    const source = { after: null, topics: async () => [topic], wants: () => true };
    const subscriber = new Subscriber({ source, group, sink, closed: () => {} });
    await subscriber.start();
    return { sink, subscriber };
  };
  const [busy, quiet] = [await follow('busy'), await follow('quiet')];
  for (const topic of ['busy', 'quiet']) world.relay(topic);
  world.control();
  await eventually(() => {
    for (const { sink } of [busy, quiet]) expect(sink.payloads).toHaveLength(1);
  });
  for (let index = 0; index < 20; index += 1) await turn();

  world.relay('busy', { isLost: true });
  world.control(true);
  world.drop();
  await eventually(() => expect(busy.sink.ended).toBe('expired'));
  world.relay('quiet');
  world.control();

  await eventually(() => expect(quiet.sink.payloads).toEqual(['1:2', '1:4']));
  expect(quiet.sink.ended).toBeNull();
  expect(busy.sink.payloads).toEqual(['1:1']);
  quiet.subscriber.close();
  await world.hub.close();
});
