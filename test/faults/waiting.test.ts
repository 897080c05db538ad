import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type TestServer, testServer } from '../support/server.ts';
import type { SocketClient } from '../support/websocket.ts';

const create = 'mutation { createChannel(input: { name: "general" }) { id } }';
const follow = 'subscription { channelMessage(channel: "general") { body } }';
const send = 'mutation { sendNotification(input: { userId: "ada", title: "t", message: "m" }) { title } }';
const count = 'select count(*)::int as count from notifications';

/** A mutation waits for the subscription that was asked for before it, and that for a table. */
describe('a mutation that waits on its socket', () => {
  let server: TestServer;
  let admin: postgres.Sql;
  let socket: SocketClient;
  let unlock: () => Promise<void>;
  let answer: ReturnType<SocketClient['run']>;

  beforeEach(async () => {
    server = await testServer('postgres');
    admin = postgres(server.databaseUrl!, { max: 1, onnotice: () => {} });
    await server.ask('ada', create);
    const held = await admin.reserve();
    await held`begin`;
    await held`lock table channels in access exclusive mode`;
    unlock = async () => {
      await held`rollback`;
      held.release();
    };
    socket = await server.socket('eve', ['service']);
    socket.run({ query: follow });
    answer = socket.run({ query: send });
    // What is told before the answer was read after it.
    await new Promise((resolve) => socket.socket.once('pong', resolve).ping());
  });
  afterEach(() => admin.end());

  test('is not done when its viewer is blocked meanwhile', async () => {
    // Somebody who waits for the same, and asks once more when that is over: by then it would be done.
    const other = await server.socket('bob', ['service']);
    other.run({ query: follow });
    const answered = other.run({ query: send });
    await server.ask('root', 'mutation { blockUser(id: "eve") { id } }', {}, ['admin']);
    expect((await socket.closed).code).toBe(4403);
    await unlock();
    await answered.next();
    await other.run({ query: send }).next();

    expect(await server.sql(count)).toEqual([{ count: 2 }]);
    await server.close();
  });

  test('is answered before a node that ends sends its client away', async () => {
    const closed = server.close();
    const isReady = () =>
      fetch(`${server.url}/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await eventually(async () => expect(await isReady()).toBe(false));
    await unlock();

    expect(await answer.frame()).toMatchObject({ payload: { data: { sendNotification: { title: 't' } } } });
    expect((await socket.closed).code).toBe(1012);
    await closed;
  });
});
