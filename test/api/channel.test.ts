import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '../../src/domain/viewer.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const create =
  'mutation Create($input: CreateChannelInput!) { createChannel(input: $input) { __typename id name kind title memberCount viewerRole createdAt } }';
const find = 'query Find($name: String!) { channel(name: $name) { id kind memberCount viewerRole } }';
const join = 'mutation Join($name: String!) { joinChannel(name: $name) { id memberCount viewerRole } }';
const leave = 'mutation Leave($name: String!) { leaveChannel(name: $name) { id memberCount viewerRole } }';
const send = 'mutation Send($name: String!) { sendMessage(input: { channel: $name, body: "hello" }) { id } }';
const edit = 'mutation Edit($id: ID!) { editMessage(id: $id, body: "edited") { id } }';
const erase = 'mutation Erase($id: ID!) { deleteMessage(id: $id) { id } }';
const add =
  'mutation Add($name: String!, $userId: ID!, $role: ChannelRole) { addChannelMember(channel: $name, userId: $userId, role: $role) { id } }';
const remove =
  'mutation Remove($name: String!, $userId: ID!) { removeChannelMember(channel: $name, userId: $userId) { id } }';
const setRole =
  'mutation SetRole($name: String!, $userId: ID!, $role: ChannelRole!) { setChannelMemberRole(channel: $name, userId: $userId, role: $role) { id } }';
const destroy = 'mutation Destroy($name: String!) { deleteChannel(name: $name) }';
const members =
  'query Members($name: String!) { channel(name: $name) { members { edges { node { role user { id } } } } } }';

let server: TestServer;
let count = 0;

beforeAll(async () => {
  server = await testServer('embedded');
  const people = [
    'ada',
    'stranger',
    'reader',
    'member',
    'moderator',
    'owner',
    'service',
    'admin',
    'target',
    'guest',
  ];
  const users = people.map((id) => `${id}: upsertUser(id: "${id}", name: "${id}") { id }`);
  await server.ask('root', `mutation { ${users} }`, {}, ['service']);
});
afterAll(() => server.close());

const fresh = () => `channel-${++count}`;

async function outcome(...request: Parameters<TestServer['run']>): Promise<string> {
  return (await server.run(...request)).errors?.[0]?.extensions.code ?? 'yes';
}

async function roles(name: string): Promise<Record<string, string>> {
  const { channel } = await server.ask('ada', members, { name }, ['admin']);
  return Object.fromEntries(
    channel.members.edges.map(({ node }: { node: { role: string; user: { id: string } } }) => [
      node.user.id,
      node.role,
    ]),
  );
}

/** A channel with one of every kind of member, and a target to do things to. */
async function furnished(kind: string): Promise<string> {
  const name = fresh();
  const memberIds = ['reader', 'member', 'moderator', 'target'];
  await server.ask('owner', create, { input: { name, kind, memberIds } });
  await server.ask(
    'owner',
    `mutation Furnish($name: String!) {
      reader: setChannelMemberRole(channel: $name, userId: "reader", role: READER) { id }
      moderator: setChannelMemberRole(channel: $name, userId: "moderator", role: MODERATOR) { id }
      ada: addChannelMember(channel: $name, userId: "ada", role: OWNER) { id }
    }`,
    { name },
  );
  return name;
}

type Outcome = 'yes' | 'FORBIDDEN' | 'NOT_FOUND';
type Do = (name: string) => Promise<[query: string, variables: Record<string, unknown>]>;

async function messageOf(sender: string, name: string): Promise<string> {
  return (await server.ask(sender, send, { name })).sendMessage.id;
}

const viewers = ['stranger', 'reader', 'member', 'moderator', 'owner', 'service', 'admin'] as const;
const rolesOf: Record<string, readonly Role[]> = { service: ['service'], admin: ['admin'] };

const actions: Record<string, Do> = {
  'send to it': async (name) => [send, { name }],
  "edit another's message": async (name) => [edit, { id: await messageOf('target', name) }],
  "delete another's message": async (name) => [erase, { id: await messageOf('target', name) }],
  'add a member': async (name) => [add, { name, userId: 'guest' }],
  'add a moderator': async (name) => [add, { name, userId: 'guest', role: 'MODERATOR' }],
  'add an owner': async (name) => [add, { name, userId: 'guest', role: 'OWNER' }],
  'remove a member': async (name) => [remove, { name, userId: 'target' }],
  'remove an owner': async (name) => [remove, { name, userId: 'ada' }],
  'set a role': async (name) => [setRole, { name, userId: 'target', role: 'READER' }],
  'delete it': async (name) => [destroy, { name }],
};

/** By the viewers above, in their order; `-` is FORBIDDEN, or NOT_FOUND where they may not know of the channel. */
const rights: [action: string, whoMay: string][] = [
  // stranger reader member moderator owner service admin
  ['send to it', '- - + + + + +'],
  ["edit another's message", '- - - - - - -'],
  ["delete another's message", '- - - + + + +'],
  ['add a member', '- - - + + + +'],
  ['add a moderator', '- - - + + + +'],
  ['add an owner', '- - - - + + +'],
  ['remove a member', '- - - + + + +'],
  ['remove an owner', '- - - - + + +'],
  ['set a role', '- - - - + + +'],
  ['delete it', '- - - - + + +'],
];

function cells(kind: 'PUBLIC' | 'PRIVATE'): [viewer: string, action: string, expected: Outcome][] {
  const refusedTo = (viewer: string) =>
    kind === 'PRIVATE' && viewer === 'stranger' ? 'NOT_FOUND' : 'FORBIDDEN';
  return rights.flatMap(([action, whoMay]) =>
    whoMay
      .split(' ')
      .map((mark, index): [string, string, Outcome] => [
        viewers[index]!,
        action,
        mark === '+' ? 'yes' : refusedTo(viewers[index]!),
      ]),
  );
}

describe.each(['PUBLIC', 'PRIVATE'] as const)('the rights in a %s channel', (kind) => {
  test.each(cells(kind))('answer the %s who wants to %s: %s', async (viewer, action, expected) => {
    const name = await furnished(kind);
    const [query, variables] = await actions[action]!(name);

    expect(await outcome(viewer, query, variables, rolesOf[viewer])).toBe(expected);
  });

  test.each(['reader', 'member', 'moderator', 'owner'])(
    'let the %s edit and delete an own message',
    async (viewer) => {
      const name = await furnished(kind);
      await server.ask('ada', setRole, { name, userId: viewer, role: 'MEMBER' });
      const id = await messageOf(viewer, name);
      await server.ask('ada', setRole, { name, userId: viewer, role: viewer.toUpperCase() });

      expect(await outcome(viewer, edit, { id })).toBe('yes');
      expect(await outcome(viewer, erase, { id })).toBe('yes');
    },
  );

  test.each(viewers.slice(1))('let the %s read and join', async (viewer) => {
    const name = await furnished(kind);

    expect((await server.ask(viewer, find, { name }, rolesOf[viewer])).channel?.id).toBe(name);
    expect(await outcome(viewer, join, { name }, rolesOf[viewer])).toBe('yes');
  });

  test.each(['reader', 'member', 'moderator', 'owner'])('let the %s leave', async (viewer) => {
    const name = await furnished(kind);

    expect(await outcome(viewer, leave, { name })).toBe('yes');
    expect(await roles(name)).not.toHaveProperty(viewer);
  });

  test.each(['service', 'admin'])(
    'let the %s, no member, delete an own message but not edit it',
    async (viewer) => {
      const name = await furnished(kind);
      const { sendMessage } = await server.ask(viewer, send, { name }, rolesOf[viewer]);

      expect(await outcome(viewer, edit, { id: sendMessage.id }, rolesOf[viewer])).toBe('FORBIDDEN');
      expect(await outcome(viewer, erase, { id: sendMessage.id }, rolesOf[viewer])).toBe('yes');
    },
  );

  test('are over for an own message of someone who has left', async () => {
    const name = await furnished(kind);
    const id = await messageOf('member', name);
    await server.ask('member', leave, { name });
    const expected = { PUBLIC: 'FORBIDDEN', PRIVATE: 'NOT_FOUND' }[kind];

    expect(await outcome('member', edit, { id })).toBe(expected);
    expect(await outcome('member', erase, { id })).toBe(expected);
  });
});

describe('a stranger', () => {
  test('reads, joins and leaves a PUBLIC channel', async () => {
    const name = await furnished('PUBLIC');

    expect((await server.ask('stranger', find, { name })).channel).toMatchObject({
      id: name,
      viewerRole: null,
    });
    expect((await server.ask('stranger', join, { name })).joinChannel.viewerRole).toBe('MEMBER');
    expect((await server.ask('stranger', leave, { name })).leaveChannel).toMatchObject({
      id: name,
      viewerRole: null,
    });
  });

  test('learns of a PRIVATE channel no more than of one that is not there', async () => {
    const name = await furnished('PRIVATE');
    const follow = (channel: string) => `subscription { channelMessage(channel: "${channel}") { id } }`;
    const socket = await server.socket('stranger');
    const answers = async (channel: string) =>
      JSON.stringify([
        await server.run('stranger', find, { name: channel }),
        await server.run('stranger', join, { name: channel }),
        await server.run('stranger', leave, { name: channel }),
        await server.run('stranger', send, { name: channel }),
        await server.run('stranger', destroy, { name: channel }),
        await server.run('stranger', add, { name: channel, userId: 'nobody' }),
        await server.run('stranger', remove, { name: channel, userId: 'nobody' }),
        (await socket.run({ query: follow(channel) }).next()).errors?.[0]?.message,
      ]).replaceAll(channel, '…');

    expect(await answers(name)).toBe(await answers('not-there'));
    await socket.close();
  });

  test('sees PUBLIC channels in the list, and PRIVATE ones once they are a member', async () => {
    const [open, closed] = [await furnished('PUBLIC'), await furnished('PRIVATE')];
    const list = async () =>
      (await server.ask('guest', '{ channels(first: 100) { edges { node { name } } } }')).channels.edges.map(
        ({ node }: { node: { name: string } }) => node.name,
      );
    expect(await list()).toContain(open);
    expect(await list()).not.toContain(closed);
    await server.ask('owner', add, { name: closed, userId: 'guest' });
    expect(await list()).toContain(closed);
  });
});

describe('a new channel', () => {
  test('is PUBLIC, and its maker owns it', async () => {
    const name = fresh();
    const { createChannel } = await server.ask('ada', create, { input: { name } });

    expect(createChannel).toEqual({
      __typename: 'Channel',
      id: name,
      name,
      kind: 'PUBLIC',
      title: null,
      memberCount: 1,
      viewerRole: 'OWNER',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
  });

  test('has its title and its members, each once', async () => {
    const name = fresh();
    const memberIds = ['reader', 'member', 'reader', 'ada'];
    const input = { name, kind: 'PRIVATE', title: 'The crew', memberIds };
    const { createChannel } = await server.ask('ada', create, { input });

    expect(createChannel).toMatchObject({ title: 'The crew', kind: 'PRIVATE', memberCount: 3 });
    expect(await roles(name)).toEqual({ ada: 'OWNER', reader: 'MEMBER', member: 'MEMBER' });
  });

  test('with a taken name is refused with CONFLICT, also where it may not be known', async () => {
    const name = await furnished('PRIVATE');
    expect(await outcome('stranger', create, { input: { name } })).toBe('CONFLICT');
  });

  test('with a name that is free again is another', async () => {
    const name = fresh();
    await server.ask('ada', create, { input: { name, memberIds: ['member'] } });
    await server.ask('ada', send, { name });
    expect((await server.ask('ada', destroy, { name })).deleteChannel).toBe(name);
    await server.ask('ada', create, { input: { name } });
    const { channel } = await server.ask(
      'ada',
      `{ channel(name: "${name}") { memberCount messages { edges { cursor } } } }`,
    );

    expect(channel).toEqual({ memberCount: 1, messages: { edges: [] } });
  });

  test('with an unknown member is refused with NOT_FOUND and not made', async () => {
    const name = fresh();
    expect(await outcome('ada', create, { input: { name, memberIds: ['member', 'nobody'] } })).toBe(
      'NOT_FOUND',
    );
    expect((await server.ask('ada', find, { name })).channel).toBeNull();
  });

  test.each([
    ['an empty name', { name: '' }, 'BAD_USER_INPUT'],
    ['capitals in the name', { name: 'General' }, 'BAD_USER_INPUT'],
    ['a space in the name', { name: 'the crew' }, 'BAD_USER_INPUT'],
    ['a line break behind the name', { name: 'crew\n' }, 'BAD_USER_INPUT'],
    ['a name that begins with a dash', { name: '-crew' }, 'BAD_USER_INPUT'],
    ['a name of 101 characters', { name: 'x'.repeat(101) }, 'BAD_USER_INPUT'],
    ['a NUL character in the name', { name: 'a\u0000b' }, 'BAD_USER_INPUT'],
    ['a title of 201 characters', { name: 'title', title: 'x'.repeat(201) }, 'LIMIT_EXCEEDED'],
    ['a NUL character in the title', { name: 'title', title: 'a\u0000b' }, 'BAD_USER_INPUT'],
    ['kind DIRECT', { name: 'direct', kind: 'DIRECT' }, 'BAD_USER_INPUT'],
    [
      'more than 1,000 members',
      { name: 'm', memberIds: Array.from({ length: 1_001 }, (_, i) => `u${i}`) },
      'BAD_USER_INPUT',
    ],
  ])('with %s is refused with the right code', async (_title, input, code) => {
    expect(await outcome('ada', create, { input })).toBe(code);
  });

  test('may have a name of 100 characters of every kind', async () => {
    const name = `0a_.:-${'z'.repeat(94)}`;
    expect((await server.ask('ada', create, { input: { name } })).createChannel.id).toBe(name);
  });
});

describe('a member', () => {
  test('that is added again stays what they are', async () => {
    const name = await furnished('PUBLIC');
    await server.ask('owner', add, { name, userId: 'moderator', role: 'READER' });
    expect((await roles(name)).moderator).toBe('MODERATOR');
  });

  test('is MEMBER where nothing else is said', async () => {
    const name = await furnished('PUBLIC');
    await server.ask('moderator', add, { name, userId: 'guest' });
    expect((await roles(name)).guest).toBe('MEMBER');
  });

  test('that joins again stays what they are', async () => {
    const name = await furnished('PUBLIC');
    expect((await server.ask('reader', join, { name })).joinChannel.viewerRole).toBe('READER');
  });

  test('that is none is NOT_FOUND, for removal and for a role', async () => {
    const name = await furnished('PUBLIC');
    expect(await outcome('owner', remove, { name, userId: 'guest' })).toBe('NOT_FOUND');
    expect(await outcome('owner', setRole, { name, userId: 'guest', role: 'READER' })).toBe('NOT_FOUND');
  });

  test('that is no user is NOT_FOUND', async () => {
    const name = await furnished('PUBLIC');
    expect(await outcome('owner', add, { name, userId: 'nobody' })).toBe('NOT_FOUND');
  });

  test('that leaves a PRIVATE channel is answered null, and finds it no more', async () => {
    const name = await furnished('PRIVATE');
    expect((await server.ask('member', leave, { name })).leaveChannel).toBeNull();
    expect((await server.ask('member', find, { name })).channel).toBeNull();
  });

  test('that was removed may do no more than a stranger', async () => {
    const name = await furnished('PRIVATE');
    await server.ask('moderator', remove, { name, userId: 'member' });
    expect(await outcome('member', send, { name })).toBe('NOT_FOUND');
  });
});

describe('the last owner', () => {
  async function owned(): Promise<string> {
    const name = fresh();
    await server.ask('ada', create, { input: { name, memberIds: ['member'] } });
    return name;
  }

  test('may not leave while others remain: CONFLICT', async () => {
    const name = await owned();
    expect(await outcome('ada', leave, { name })).toBe('CONFLICT');
    expect(await roles(name)).toEqual({ ada: 'OWNER', member: 'MEMBER' });
  });

  test('may not be removed or made less while others remain: CONFLICT', async () => {
    const name = await owned();
    expect(await outcome('root', remove, { name, userId: 'ada' }, ['admin'])).toBe('CONFLICT');
    expect(await outcome('ada', setRole, { name, userId: 'ada', role: 'MEMBER' })).toBe('CONFLICT');
  });

  test('may leave after making another one', async () => {
    const name = await owned();
    await server.ask('ada', setRole, { name, userId: 'member', role: 'OWNER' });
    expect(await outcome('ada', leave, { name })).toBe('yes');
    expect(await roles(name)).toEqual({ member: 'OWNER' });
  });

  test('may leave when alone', async () => {
    const name = fresh();
    await server.ask('ada', create, { input: { name } });
    expect(await outcome('ada', leave, { name })).toBe('yes');
  });
});

describe('an unknown channel', () => {
  test.each([
    ['joined', join, {}],
    ['left', leave, {}],
    ['sent to', send, {}],
    ['given a member', add, { userId: 'member' }],
    ['taken a member', remove, { userId: 'member' }],
    ['given roles', setRole, { userId: 'member', role: 'OWNER' }],
    ['deleted', destroy, {}],
  ])('cannot be %s: NOT_FOUND, also to an admin', async (_title, query, variables) => {
    expect(await outcome('ada', query, { name: 'not-there', ...variables })).toBe('NOT_FOUND');
    expect(await outcome('ada', query, { name: 'not-there', ...variables }, ['admin'])).toBe('NOT_FOUND');
  });

  test('is null to a query', async () => {
    expect((await server.ask('ada', find, { name: 'not-there' })).channel).toBeNull();
  });

  test.each([
    ['a query', find],
    ['a join', join],
    ['a message', send],
    ['a deletion', destroy],
  ])('named with NUL characters in %s is no failure of ours', async (_title, query) => {
    expect(await outcome('ada', query, { name: 'a\u0000b' })).not.toBe('INTERNAL_SERVER_ERROR');
  });

  test('that is followed is NOT_FOUND', async () => {
    const socket = await server.socket('ada');
    const query = 'subscription { channelMessage(channel: "not-there") { id } }';
    expect((await socket.run({ query }).next()).errors?.[0]?.extensions.code).toBe('NOT_FOUND');
    await socket.close();
  });

  test('has no members to add with NUL characters either', async () => {
    const name = await furnished('PUBLIC');
    expect(await outcome('owner', add, { name, userId: 'a\u0000b' })).not.toBe('INTERNAL_SERVER_ERROR');
    expect(await outcome('owner', remove, { name, userId: 'a\u0000b' })).not.toBe('INTERNAL_SERVER_ERROR');
  });
});

describe.each(databases)('a channel on %s under many hands at once', (kind) => {
  const people = Array.from({ length: 20 }, (_, index) => `person-${index}`);
  let busy: TestServer;

  beforeAll(async () => {
    busy = await testServer(kind);
    await Promise.all(people.map((id) => busy.ask(id, '{ viewer { id } }')));
  });
  afterAll(() => busy.close());

  const codes = async (answers: ReturnType<TestServer['run']>[]) =>
    (await Promise.all(answers)).map(({ errors }) => errors?.[0]?.extensions.code ?? 'yes').sort();

  test('is created once: the others get CONFLICT', async () => {
    const answers = people.map((id) => busy.run(id, create, { input: { name: 'wanted' } }));
    expect(await codes(answers)).toEqual([...Array(19).fill('CONFLICT'), 'yes']);
  });

  test('counts everybody who joins once', async () => {
    await busy.ask('ada', create, { input: { name: 'popular' } });
    await Promise.all([...people, ...people].map((id) => busy.ask(id, join, { name: 'popular' })));
    expect((await busy.ask('ada', find, { name: 'popular' })).channel.memberCount).toBe(21);
  });

  test('keeps an owner when all of them leave', async () => {
    await busy.ask('ada', create, { input: { name: 'owned', memberIds: people } });
    const owners = people.map((id) => busy.ask('ada', setRole, { name: 'owned', userId: id, role: 'OWNER' }));
    await Promise.all(owners);
    await busy.ask('zoe', join, { name: 'owned' });
    const answers = [...people, 'ada'].map((id) => busy.run(id, leave, { name: 'owned' }));
    expect(await codes(answers)).toEqual(['CONFLICT', ...Array(20).fill('yes')]);
  });
});
