import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '../../src/domain/viewer.ts';
import { type TestServer, testServer } from '../support/server.ts';

const upsert =
  'mutation Upsert($id: ID!, $name: String!, $avatarUrl: String) { upsertUser(id: $id, name: $name, avatarUrl: $avatarUrl) { id name avatarUrl createdAt } }';
const find = 'query Find($id: ID!) { user(id: $id) { id name avatarUrl } }';

let server: TestServer;

beforeAll(async () => {
  server = await testServer('embedded');
});
afterAll(() => server.close());

async function refusal(...request: Parameters<TestServer['run']>): Promise<string | undefined> {
  return (await server.run(...request)).errors?.[0]?.extensions.code;
}

const upsertUser = (variables: Record<string, unknown>) => server.ask('root', upsert, variables, ['service']);

describe('a viewer', () => {
  test('is who the token names, with a row of their own', async () => {
    const { viewer } = await server.ask(
      'ada',
      '{ viewer { id roles user { __typename id name avatarUrl } } }',
    );

    expect(viewer).toEqual({
      id: 'ada',
      roles: [],
      user: { __typename: 'User', id: 'ada', name: 'ada', avatarUrl: null },
    });
  });

  test.each<[readonly Role[]]>([[['admin']], [['service']], [['admin', 'service']]])(
    'has the roles of the token: %s',
    async (roles) => {
      expect((await server.ask('root', '{ viewer { roles } }', {}, roles)).viewer.roles).toEqual(roles);
    },
  );

  test.each([
    ['of one character', 'x'],
    ['of 128 characters', 'x'.repeat(128)],
    ['of any script', 'Ådá 🦄 "\''],
    ['that looks like SQL', "'; drop table users; --"],
  ])('may have an id %s', async (_title, id) => {
    expect((await server.ask(id, '{ viewer { id user { id } } }')).viewer).toEqual({ id, user: { id } });
  });
});

describe('a user', () => {
  test('is found by everyone who is signed in', async () => {
    await upsertUser({ id: 'grace', name: 'Grace', avatarUrl: 'https://example.com/grace.png' });

    expect((await server.ask('ada', find, { id: 'grace' })).user).toEqual({
      id: 'grace',
      name: 'Grace',
      avatarUrl: 'https://example.com/grace.png',
    });
  });

  test('that is unknown is null', async () => {
    expect((await server.ask('ada', find, { id: 'nobody' })).user).toBeNull();
  });

  test('with an id of NUL characters is not there', async () => {
    const { data, errors } = await server.run('ada', find, { id: 'a\u0000b' });

    expect(data?.user ?? null).toBeNull();
    expect(errors?.[0]?.extensions.code).not.toBe('INTERNAL_SERVER_ERROR');
  });

  test.each<Role>(['service', 'admin'])('is written by role %s', async (role) => {
    const { upsertUser } = await server.ask('root', upsert, { id: `by-${role}`, name: 'New' }, [role]);
    expect(upsertUser).toMatchObject({ id: `by-${role}`, name: 'New', avatarUrl: null });
  });

  test('is not written by anybody else', async () => {
    expect(await refusal('ada', upsert, { id: 'ada', name: 'Countess' })).toBe('FORBIDDEN');
  });

  test('that is written again stays the one it was, under its new name', async () => {
    const first = await upsertUser({ id: 'linus', name: 'Linus' });
    const second = await upsertUser({ id: 'linus', name: 'Linus T.' });

    expect(second.upsertUser).toEqual({ ...first.upsertUser, name: 'Linus T.' });
  });

  test('keeps an avatar that is left out, and loses one that is null', async () => {
    await upsertUser({ id: 'alan', name: 'Alan', avatarUrl: '/alan.png' });

    expect((await upsertUser({ id: 'alan', name: 'Alan' })).upsertUser.avatarUrl).toBe('/alan.png');
    expect((await upsertUser({ id: 'alan', name: 'Alan', avatarUrl: null })).upsertUser.avatarUrl).toBeNull();
  });

  test.each([
    ['with an empty name', { id: 'new', name: '' }, 'BAD_USER_INPUT'],
    ['with a blank name', { id: 'new', name: '  ' }, 'BAD_USER_INPUT'],
    ['with a NUL character in the name', { id: 'new', name: 'a\u0000b' }, 'BAD_USER_INPUT'],
    ['with half a character in the name', { id: 'new', name: 'a\ud800b' }, 'BAD_USER_INPUT'],
    ['with a name of 201 characters', { id: 'new', name: 'x'.repeat(201) }, 'LIMIT_EXCEEDED'],
    ['with an empty id', { id: '', name: 'New' }, 'BAD_USER_INPUT'],
    ['with an id of 129 characters', { id: 'x'.repeat(129), name: 'New' }, 'BAD_USER_INPUT'],
    ['with a control character in the id', { id: 'a\nb', name: 'New' }, 'BAD_USER_INPUT'],
    ['with half a character in the id', { id: 'a\ud800b', name: 'New' }, 'BAD_USER_INPUT'],
    [
      'with an avatar of 2,049 characters',
      { id: 'new', name: 'New', avatarUrl: 'x'.repeat(2_049) },
      'LIMIT_EXCEEDED',
    ],
    [
      'with a NUL character in the avatar',
      { id: 'new', name: 'New', avatarUrl: 'a\u0000' },
      'BAD_USER_INPUT',
    ],
  ])('%s is refused with the right code', async (_title, variables, code) => {
    expect(await refusal('root', upsert, variables, ['service'])).toBe(code);
  });

  test('may have a name of 200 characters beyond the basic plane', async () => {
    const name = '🦄'.repeat(200);
    expect((await upsertUser({ id: 'unicorn', name })).upsertUser.name).toBe(name);
  });
});

describe('a position', () => {
  test('is answered to everyone who asks, and can be continued from', async () => {
    const { position } = await server.ask('ada', '{ position }');
    const socket = await server.socket('ada');
    const stream = socket.run({
      query: 'subscription Follow($after: Position) { eventReceived(after: $after) { type } }',
      variables: { after: position },
    });
    await server.ask('root', 'mutation { emitEvent(input: { type: "hello", payload: {} }) }', {}, [
      'service',
    ]);

    expect((await stream.next()).data.eventReceived.type).toBe('hello');
    await socket.close();
  });
});
