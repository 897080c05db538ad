import { describe, expect, test } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { PlainEvents, PlainFollower } from '../support/plain-events.ts';
import { startRedis } from '../support/redis-server.ts';
import { testServer } from '../support/server.ts';

const emit = 'mutation Emit($input: EmitEventInput!) { emitEvent(input: $input) }';

describe('a plain stream of a cluster', () => {
  test('misses nothing and repeats nothing, whatever happens to Redis and its node', {
    timeout: 90_000,
  }, async () => {
    const [database, redis] = [await freshDatabase(), await startRedis()];
    const environment = { LOG_LEVEL: 'silent', REDIS_URL: redis.url };
    const one = await testServer('postgres', environment, database.url);
    let other = await testServer('postgres', environment, database.url);
    await one.ask('bob', '{ viewer { id } }');
    const token = await one.token('bob');
    const follower = new PlainFollower(async (lastEventId) => {
      const headers = lastEventId ? { 'last-event-id': lastEventId } : {};
      return new PlainEvents(
        `${other.url}/realtime/events?token=${token}`,
        headers as Record<string, string>,
      );
    });
    const heard = () => follower.heard.map(({ data }) => data);
    let count = 0;
    const emitSome = async () => {
      for (let index = 0; index < 10; index += 1) {
        count += 1;
        const recipients = [{ everyone: true }, { userId: 'bob' }];
        await one.ask('root', emit, { input: { type: 'told', payload: count, recipients } }, ['service']);
      }
    };
    const told = () => eventually(() => expect(heard().at(-1)).toBe(count));
    await eventually(async () =>
      expect(await other.metric('realtime_subscriptions{field="/realtime/events"}')).toBe(1),
    );

    await emitSome();
    await told();
    await redis.kill();
    await emitSome();
    await told();
    await redis.restart();
    await emitSome();
    const restarted = other.close();
    await emitSome();
    await restarted;
    other = await testServer('postgres', environment, database.url);
    await emitSome();
    await told();

    expect(heard()).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    await follower.stop();
    await Promise.all([one.close(), other.close()]);
    await redis.stop();
    await database.drop();
  });
});
