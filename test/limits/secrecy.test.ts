import { randomUUID } from 'node:crypto';
import {
  type GraphQLInputType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';
import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Role } from '../../src/domain/viewer.ts';
import { schema } from '../../src/schema/index.ts';
import { plainEvents } from '../support/plain-events.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { compareTimes } from '../support/timing.ts';

/** What names a channel, asked by who may not know of it. */
const ofChannel = {
  find: 'query Q($name: String!) { channel(name: $name) { id } }',
  join: 'mutation Q($name: String!) { joinChannel(name: $name) { id } }',
  leave: 'mutation Q($name: String!) { leaveChannel(name: $name) { id } }',
  destroy: 'mutation Q($name: String!) { deleteChannel(name: $name) }',
  send: 'mutation Q($name: String!) { sendMessage(input: { channel: $name, body: "x" }) { id } }',
  add: 'mutation Q($name: String!) { addChannelMember(channel: $name, userId: "eve") { id } }',
  remove: 'mutation Q($name: String!) { removeChannelMember(channel: $name, userId: "ada") { id } }',
};
const ofMessage = {
  edit: 'mutation Q($id: ID!) { editMessage(id: $id, body: "y") { id } }',
  delete: 'mutation Q($id: ID!) { deleteMessage(id: $id) { id } }',
  reply: 'mutation Q($id: ID!) { sendMessage(input: { channel: "open", body: "x", replyToId: $id }) { id } }',
};
const ofNotification = {
  notification: 'query Q($id: ID!) { notification(id: $id) { id } }',
  mark: 'mutation Q($id: ID!) { markNotificationRead(id: $id) { id } }',
};
const notify =
  'mutation Notify($userId: ID!) { sendNotification(input: { userId: $userId, title: "t", message: "m" }) { id } }';
const notifications =
  'query List($after: String) { notifications(after: $after) { edges { cursor node { id } } } }';
const emit = 'mutation Emit($input: EmitEventInput!) { emitEvent(input: $input) }';

let server: TestServer;
/** Of channels that ada has and eve may not know of; and names that nobody has. */
const secrets = Array.from({ length: 20 }, (_, index) => `secret-${index}`);
const absent = Array.from({ length: 20 }, (_, index) => `absent-${index}`);
let message: string;
let notification: string;
let position: string;

beforeAll(async () => {
  server = await testServer('postgres', {
    OPERATION_RATE_PER_USER: '1000000/1m',
    CONNECTION_RATE_PER_IP: '1000/1m',
  });
  for (const id of ['ada', 'eve']) await server.ask(id, '{ viewer { id } }');
  const create =
    'mutation Create($name: String!, $kind: ChannelKind) { createChannel(input: { name: $name, kind: $kind }) { id } }';
  for (const name of secrets) await server.ask('ada', create, { name, kind: 'PRIVATE' });
  await server.ask('eve', create, { name: 'open' });
  ({
    sendMessage: { id: message },
  } = await server.ask('ada', ofChannel.send, { name: secrets[0] }));
  ({
    sendNotification: { id: notification },
  } = await server.ask('root', notify, { userId: 'ada' }, ['service']));
  ({ position } = await server.ask('ada', '{ position }'));
});
afterAll(() => server.close());

/** What eve is answered, without what she said herself. */
async function answer(
  query: string,
  variables: Record<string, unknown>,
  roles: Role[] = [],
): Promise<string> {
  const said = Object.values(variables).map(String);
  const text = JSON.stringify(await server.run('eve', query, variables, roles));
  return said.reduce((rest, word) => rest.replaceAll(word, '…'), text);
}

describe('whether it is there is not told', () => {
  test.each(Object.entries({ ...ofMessage, ...ofNotification }))(
    "of somebody else's message or notification by the answer to %s",
    async (what, query) => {
      const id = what in ofMessage ? message : notification;
      const told = await answer(query, { id });
      expect(told).toMatch(/NOT_FOUND|"notification":null/);
      expect(told).toBe(await answer(query, { id: randomUUID() }));
    },
  );

  test('of a channel by a plain stream', async () => {
    const refusal = async (name: string) => {
      const events = await plainEvents(server, 'eve', `?channels=${name}`);
      return [(await events.response).statusCode, (await events.refusal).replaceAll(name, '…')];
    };
    const told = await refusal(secrets[0]!);
    expect(told[0]).toBe(404);
    expect(told).toEqual(await refusal(absent[0]!));
  });

  test('of a channel by running into a limit', async () => {
    const strict = await testServer('postgres', { MESSAGE_RATE_PER_USER: '3/1h' }, server.databaseUrl!);
    const codes = async (name: string) => {
      const told = [];
      for (let count = 0; count < 6; count += 1) {
        const { errors } = await strict.run('eve', ofChannel.send, { name });
        told.push(errors?.[0]?.extensions.code);
      }
      return told;
    };
    const told = await codes(secrets[0]!);
    expect(told).toEqual(await codes(absent[0]!));
    await strict.close();
  });

  describe('by waiting for who holds the channel', { timeout: 10_000 }, () => {
    beforeEach(async () => {
      const sql = postgres(server.databaseUrl!, { max: 1, onnotice: () => {} });
      onTestFinished(() => sql.end({ timeout: 0 }));
      await sql`begin`;
      await sql`select from channels where name = ${secrets[0]!} for update`;
    });

    test.each(Object.entries(ofChannel))('to %s', async (_what, query) => {
      expect(await answer(query, { name: secrets[0] })).toMatch(/NOT_FOUND|"channel":null/);
    });

    test.each(Object.entries(ofMessage))('to %s', async (_what, query) => {
      expect(await answer(query, { id: message })).toContain('NOT_FOUND');
    });
  });

  describe('by the time of the answer', () => {
    const rounds = 100;
    /** One more statement or a lock is beyond it; chance is not, at five standard deviations. */
    const noticeable = 0.2;

    async function demandAlike(
      attempt: (round: number, isThere: boolean) => Promise<unknown>,
    ): Promise<void> {
      for (let round = 0; round < 10; round += 1) await attempt(round, round % 2 === 0);
      const measure = () =>
        compareTimes(
          rounds,
          (round) => attempt(round, true),
          (round) => attempt(round, false),
        );
      const told = await measure();
      // What is really to be noticed is so every time.
      if (Math.abs(told - 0.5) > noticeable)
        expect(Math.abs((await measure()) - 0.5)).toBeLessThan(noticeable);
    }

    test.each(Object.entries(ofChannel))('to %s', async (_what, query) => {
      await demandAlike((round, isThere) =>
        server.run('eve', query, { name: (isThere ? secrets : absent)[round % 20] }),
      );
    });

    test('to a subscription', async () => {
      const socket = await server.socket('eve');
      await demandAlike(async (round, isThere) => {
        const name = (isThere ? secrets : absent)[round % 20];
        await socket.run({ query: `subscription { channelMessage(channel: "${name}") { id } }` }).next();
      });
      await socket.close();
    });

    test.each(Object.entries({ ...ofMessage, ...ofNotification }))('to %s', async (what, query) => {
      const id = what in ofMessage ? message : notification;
      await demandAlike((_round, isThere) => server.run('eve', query, { id: isThere ? id : randomUUID() }));
    });
  });
});

describe('somebody else gets nothing', () => {
  test("by the position of another's stream", async () => {
    const socket = await server.socket('eve');
    const streams = ['notificationReceived(after: $after) { id }', 'eventReceived(after: $after) { id }'].map(
      (field) =>
        socket.run({
          query: `subscription S($after: Position) { ${field} }`,
          variables: { after: position },
        }),
    );
    await server.ask('root', notify, { userId: 'ada' }, ['service']);
    const recipients = [{ userId: 'ada' }, { channel: secrets[0] }];
    await server.ask('root', emit, { input: { type: 'told', payload: 1, recipients } }, ['service']);
    // Behind them, in the same journal.
    const { sendNotification } = await server.ask('root', notify, { userId: 'eve' }, ['service']);
    const own = { type: 'told', payload: 2, recipients: [{ userId: 'eve' }] };
    const { emitEvent } = await server.ask('root', emit, { input: own }, ['service']);
    expect((await streams[0]!.next()).data.notificationReceived.id).toBe(sendNotification.id);
    expect((await streams[1]!.next()).data.eventReceived.id).toBe(emitEvent);
    await socket.close();
  });

  test("by the cursor of another's list", async () => {
    const [{ cursor }] = (await server.ask('ada', notifications)).notifications.edges;
    const beyond = Buffer.from(`1:${'f'.repeat(8)}-ffff-7fff-bfff-${'f'.repeat(12)}`).toString('base64url');
    const own = (await server.ask('eve', notifications)).notifications.edges.map(({ node }: any) => node.id);
    for (const after of [cursor, beyond]) {
      const { edges } = (await server.ask('eve', notifications, { after })).notifications;
      for (const { node } of edges) expect(own).toContain(node.id);
    }
  });

  test("by asking for another's sessions", async () => {
    const socket = await server.socket('ada');
    expect((await server.ask('eve', '{ viewer { sessions { id } } }')).viewer.sessions).toEqual([]);
    const query =
      'query Q($userId: ID, $channel: String) { sessions(userId: $userId, channel: $channel) { totalCount edges { node { id ipAddress } } } }';
    for (const roles of [[], ['service']] as Role[][]) {
      const told = await answer(query, { userId: 'ada' }, roles);
      expect(told).toContain('FORBIDDEN');
      for (const about of [
        { userId: 'nobody' },
        { userId: 'eve' },
        { channel: secrets[0] },
        { channel: absent[0] },
        {},
      ]) {
        expect(await answer(query, about, roles)).toBe(told);
      }
    }
    await socket.close();
  });

  test("by the id of another's connection", async () => {
    const socket = await server.socket('ada');
    const { connectionId } = await socket.acknowledged;
    const disconnect = 'mutation Q($connectionId: ID!) { disconnect(connectionId: $connectionId) }';
    const whisper =
      'mutation Q($connectionId: ID!) { emitEvent(input: { type: "x", payload: 1, ephemeral: true, recipients: [{ connectionId: $connectionId }] }) }';
    for (const [query, roles] of [
      [disconnect, []],
      [disconnect, ['service']],
      [whisper, []],
    ] as [string, Role[]][]) {
      const told = await answer(query, { connectionId }, roles);
      expect(told).toContain('FORBIDDEN');
      expect(await answer(query, { connectionId: randomUUID() }, roles)).toBe(told);
    }
    expect((await socket.run({ query: '{ viewer { id } }' }).next()).data.viewer.id).toBe('ada');
    await socket.close();
  });

  test('of who is blocked but what everybody is shown of everybody', async () => {
    const find = 'query Q($id: ID!) { user(id: $id) { __typename name avatarUrl online } }';
    await server.ask('mallory', '{ viewer { id } }');
    const before = await answer(find, { id: 'mallory' });
    await server.ask('root', 'mutation { blockUser(id: "mallory") { id } }', {}, ['admin']);
    expect(await answer(find, { id: 'mallory' })).toBe(before);
  });
});

describe('who is not signed in', () => {
  /** The least that a field takes. */
  function least(type: GraphQLInputType): string {
    if (isNonNullType(type)) return least(type.ofType);
    if (isListType(type)) return `[${least(type.ofType)}]`;
    if (isInputObjectType(type)) {
      const all = Object.values(type.getFields());
      const needed = type.isOneOf ? all.slice(0, 1) : all.filter(isRequiredInputField);
      return `{ ${needed.map((field) => `${field.name}: ${least(field.type)}`).join(', ')} }`;
    }
    if ('getValues' in type) return type.getValues()[0]!.name;
    return { Int: '1', Float: '1', Boolean: 'true', DateTime: '"2030-01-01T00:00:00Z"' }[type.name] ?? '"x"';
  }

  const fields = [schema.getQueryType()!, schema.getMutationType()!].flatMap((root) =>
    Object.values(root.getFields()).map((field) => ({ root, field })),
  );

  test.each(fields.map(({ root, field }) => [field.name, root, field] as const))(
    'is told so whatever is asked of %s',
    async (name, root, field) => {
      const given = field.args.filter(isRequiredArgument).map((one) => `${one.name}: ${least(one.type)}`);
      const call = given.length > 0 ? `${name}(${given.join(', ')})` : name;
      const isLeaf = /^(Int|ID|Boolean|String|DateTime|Position)$/.test(
        String(field.type).replaceAll(/[![\]]/g, ''),
      );
      const query = `${root.name.toLowerCase()} { ${call} ${isLeaf ? '' : '{ __typename }'} }`;
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      const { data, errors } = (await response.json()) as any;
      // The head of the journal is sealed, and says nothing.
      if (name === 'position') expect(data.position).toBeTruthy();
      else expect(errors[0].extensions.code).toBe('UNAUTHENTICATED');
    },
  );
});
