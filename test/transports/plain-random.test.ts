import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { PlainFollower, plainEvents } from '../support/plain-events.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const steps = 60;
const channels = ['c0', 'c1', 'c2'];

const emit = 'mutation Emit($input: EmitEventInput!) { emitEvent(input: $input) }';
const notify = 'mutation Send($input: SendNotificationInput!) { sendNotification(input: $input) { id } }';

/** Numbers that look random and are the same for one seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** What a subscription over GraphQL is told, by number. */
async function subscribe(server: TestServer, query: string, numberOf: (data: any) => number) {
  const stream = await server.events('bob', { query });
  await stream.opened;
  const heard: number[] = [];
  const reading = (async () => {
    for (let frame = await stream.stream.frame(); frame; frame = await stream.stream.frame()) {
      if (frame.type === 'next') heard.push(numberOf(frame.payload.data));
    }
  })();
  const stop = async () => {
    stream.cut();
    await reading;
  };
  return { heard, stop };
}

describe.each(databases)('a plain stream on %s', (kind) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer(kind);
    for (const person of ['bob', 'eve']) await server.ask(person, '{ viewer { id } }');
  });
  afterAll(() => server.close());

  test.each(kind === 'postgres' ? [1, 2] : [3])(
    'is told what the subscriptions are told, each once and in order, whatever is joined, left and cut (seed %i)',
    { timeout: 120_000 },
    async (seed) => {
      const roll = dice(seed);
      const own = channels.map((name) => `${name}-${seed}`);
      for (const name of own) {
        await server.ask(
          'ada',
          `mutation { createChannel(input: { name: "${name}", kind: PRIVATE }) { id } }`,
        );
      }
      const events = await subscribe(
        server,
        'subscription { eventReceived { payload } }',
        ({ eventReceived }) => eventReceived.payload,
      );
      const notifications = await subscribe(
        server,
        'subscription { notificationReceived { data } }',
        ({ notificationReceived }) => notificationReceived.data,
      );
      const { position } = await server.ask('bob', '{ position }');
      const follower = new PlainFollower((lastEventId) =>
        plainEvents(server, 'bob', '', { headers: { 'last-event-id': lastEventId ?? position } }),
      );
      const heard = (event?: string) =>
        follower.heard
          .filter(
            (told) => event === undefined || (told.event === 'notification') === (event === 'notification'),
          )
          .map(({ event, data }) => (event === 'notification' ? data.data : data));

      const joined = new Set<string>();
      const expected: number[] = [];
      let count = 0;
      const send = async (toNotify: boolean, recipients: object[] = [{ userId: 'bob' }]) => {
        count += 1;
        if (toNotify) {
          await server.ask(
            'root',
            notify,
            { input: { userId: 'bob', title: 'x', message: 'x', data: count } },
            ['service'],
          );
        } else {
          await server.ask('root', emit, { input: { type: 'told', payload: count, recipients } }, [
            'service',
          ]);
        }
        return count;
      };
      /** What a leaving or a joining would cut short has been told. */
      const settle = async () => {
        expected.push(await send(false));
        await eventually(() => {
          expect(heard().at(-1)).toBe(count);
          expect(events.heard.at(-1)).toBe(count);
        });
      };

      for (let step = 0; step < steps; step += 1) {
        const choice = roll(10);
        if (choice < 5) {
          const all = [
            { everyone: true },
            { userId: 'bob' },
            { userId: 'eve' },
            ...own.map((channel) => ({ channel })),
          ];
          const recipients = all.filter(() => roll(3) === 0);
          if (recipients.length === 0) continue;
          const number = await send(false, recipients);
          const isTold = recipients.some(
            (one) =>
              'everyone' in one ||
              ('userId' in one && one.userId === 'bob') ||
              ('channel' in one && joined.has(one.channel)),
          );
          if (isTold) expected.push(number);
        } else if (choice < 6) {
          expected.push(await send(true));
        } else if (choice < 8) {
          const name = own[roll(own.length)]!;
          await settle();
          const verb = joined.has(name) ? 'removeChannelMember' : 'addChannelMember';
          await server.ask('ada', `mutation { ${verb}(channel: "${name}", userId: "bob") { id } }`);
          if (!joined.delete(name)) joined.add(name);
          // Half of the time the joining is met only when it comes back.
          if (roll(2) === 0) follower.cut();
          await settle();
        } else {
          follower.cut();
        }
      }
      await settle();

      expect(heard()).toEqual(expected);
      expect(heard('event')).toEqual(events.heard);
      await eventually(() => expect(notifications.heard).toEqual(heard('notification')));
      await Promise.all([follower.stop(), events.stop(), notifications.stop()]);
    },
  );
});
