import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';

const total = 120;

interface Page {
  edges: { cursor: string; node: { value: string; user?: { value: string } } }[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
}
type Arguments = Record<string, unknown>;

const page = (value: string) =>
  `edges { cursor node { value: ${value} } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }`;
const pageVariables = '$first: Int, $after: String, $last: Int, $before: String';
const pageArguments = 'first: $first, after: $after, last: $last, before: $before';

const lists = {
  messages: `query Page(${pageVariables}) { channel(name: "busy") { messages(${pageArguments}) { ${page('body')} } } }`,
  notifications: `query Page(${pageVariables}) { notifications(${pageArguments}) { ${page('title')} } }`,
  members: `query Page($first: Int, $after: String) {
    channel(name: "crowd") { members(first: $first, after: $after) { edges { cursor node { user { value: id } } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }
  }`,
  channels: `query Page($first: Int, $after: String) { channels(first: $first, after: $after) { ${page('name')} } }`,
};
type List = keyof typeof lists;

const names = (prefix: string) =>
  Array.from({ length: total }, (_, index) => `${prefix}${String(index).padStart(3, '0')}`);
/** Every value in the order of its list. */
const all: Record<List, string[]> = {
  messages: names('message '),
  notifications: names('notification ').reverse(),
  members: ['ada', ...names('member-')],
  channels: ['busy', ...names('channel-'), 'crowd'],
};

let server: TestServer;

beforeAll(async () => {
  server = await testServer('embedded', { MAX_OPERATION_ALIASES: '200' });
  const users = names('member-').map(
    (id, index) => `u${index}: upsertUser(id: "${id}", name: "${id}") { id }`,
  );
  await server.ask('root', `mutation { ${users} }`, {}, ['service']);
  const channels = names('channel-').map(
    (name, index) => `c${index}: createChannel(input: { name: "${name}" }) { id }`,
  );
  await server.ask('ada', `mutation { busy: createChannel(input: { name: "busy" }) { id } ${channels} }`);
  await server.ask(
    'ada',
    'mutation Crowd($memberIds: [ID!]) { createChannel(input: { name: "crowd", memberIds: $memberIds }) { id } }',
    { memberIds: names('member-') },
  );
  const messages = names('message ').map(
    (body, index) => `m${index}: sendMessage(input: { channel: "busy", body: "${body}" }) { id }`,
  );
  await server.ask('ada', `mutation { ${messages} }`);
  const inputs = names('notification ').map((title) => ({ userId: 'ada', title, message: 'hello' }));
  const send =
    'mutation Send($inputs: [SendNotificationInput!]!) { sendNotifications(inputs: $inputs) { id } }';
  await server.ask('root', send, { inputs }, ['service']);
});
afterAll(() => server.close());

async function read(list: List, variables: Arguments): Promise<Page> {
  const { channel, notifications, channels } = await server.ask('ada', lists[list], variables);
  return notifications ?? channels ?? channel[list];
}

const values = (list: List, { edges }: Page) =>
  edges.map(({ node }) => (list === 'members' ? node.user!.value : node.value));

async function refusal(list: List, variables: Arguments): Promise<string | undefined> {
  const { errors } = await server.run('ada', lists[list], variables);
  return errors?.[0]?.extensions.code;
}

const everyList = ['messages', 'notifications', 'members', 'channels'] as const;
const twoWayLists = ['messages', 'notifications'] as const;

describe.each(everyList)('a page of %s', (list) => {
  test('has 50 rows in the order of the list where nothing else is asked', async () => {
    const found = await read(list, {});

    expect(values(list, found)).toEqual(all[list].slice(0, 50));
    expect(found.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
  });

  test('begins and ends with the cursors of its first and last row', async () => {
    const { edges, pageInfo } = await read(list, { first: 3 });
    expect([pageInfo.startCursor, pageInfo.endCursor]).toEqual([edges[0]?.cursor, edges[2]?.cursor]);
  });

  test('has up to 100 rows', async () => {
    expect(values(list, await read(list, { first: 100 }))).toEqual(all[list].slice(0, 100));
  });

  test('begins behind `after`', async () => {
    const { edges } = await read(list, { first: 10 });
    const found = await read(list, { first: 5, after: edges[3]!.cursor });

    expect(values(list, found)).toEqual(all[list].slice(4, 9));
    expect(found.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
  });

  test.each([1, 7, 40, 60, 100])(
    'of %i leads to the next one, until every row was seen once',
    async (first) => {
      const seen: string[] = [];
      let after: string | null = null;
      let hasNextPage = true;
      while (hasNextPage) {
        const found: Page = await read(list, { first, after });
        seen.push(...values(list, found));
        after = found.pageInfo.endCursor;
        hasNextPage = found.pageInfo.hasNextPage;
      }
      expect(seen).toEqual(all[list]);
    },
  );

  test('behind the last row is empty', async () => {
    const { pageInfo } = await read(list, { first: 100 });
    const last = await read(list, { first: 100, after: pageInfo.endCursor });
    const { edges, pageInfo: info } = await read(list, { first: 5, after: last.pageInfo.endCursor });

    expect(edges).toEqual([]);
    expect(info).toMatchObject({ hasNextPage: false, startCursor: null, endCursor: null });
  });

  test.each([0, -1, 101, 1_000_000])('of %i rows is refused with BAD_USER_INPUT', async (first) => {
    expect(await refusal(list, { first })).toBe('BAD_USER_INPUT');
  });

  test.each([
    ['a word', 'garbage'],
    ['empty', ''],
    ['of another make', Buffer.from('2:abc').toString('base64url')],
    ['for no key', Buffer.from('1:NO KEY').toString('base64url')],
    ['for a key that no text of the database can be', Buffer.from('1:a\u0000').toString('base64url')],
  ])('behind a cursor that is none (%s) is refused with BAD_USER_INPUT', async (_title, after) => {
    expect(await refusal(list, { after })).toBe('BAD_USER_INPUT');
  });
});

describe.each(twoWayLists)('a page of %s from the end', (list) => {
  test('has the last rows in the order of the list', async () => {
    const found = await read(list, { last: 10 });

    expect(values(list, found)).toEqual(all[list].slice(-10));
    expect(found.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
  });

  test('ends before `before`', async () => {
    const { edges } = await read(list, { last: 10 });
    const found = await read(list, { last: 5, before: edges[0]!.cursor });

    expect(values(list, found)).toEqual(all[list].slice(-15, -10));
    expect(found.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
  });

  test.each([1, 7, 40, 60, 100])(
    'of %i leads to the one before, until every row was seen once',
    async (last) => {
      const seen: string[] = [];
      let before: string | null = null;
      let hasPreviousPage = true;
      while (hasPreviousPage) {
        const found: Page = await read(list, { last, before });
        seen.unshift(...values(list, found));
        before = found.pageInfo.startCursor;
        hasPreviousPage = found.pageInfo.hasPreviousPage;
      }
      expect(seen).toEqual(all[list]);
    },
  );

  test('together with one from the start is refused with BAD_USER_INPUT', async () => {
    expect(await refusal(list, { first: 5, last: 5 })).toBe('BAD_USER_INPUT');
  });

  test('is what `last` asks for beside a `first` of null', async () => {
    expect(values(list, await read(list, { first: null, last: 5 }))).toEqual(all[list].slice(-5));
  });

  test.each([0, -1, 101])('of %i rows is refused with BAD_USER_INPUT', async (last) => {
    expect(await refusal(list, { last })).toBe('BAD_USER_INPUT');
  });

  test('before a cursor that is none is refused with BAD_USER_INPUT', async () => {
    expect(await refusal(list, { last: 5, before: 'garbage' })).toBe('BAD_USER_INPUT');
  });

  test('lies between two cursors', async () => {
    const { edges } = await read(list, { first: 20 });
    const between = { after: edges[4]!.cursor, before: edges[9]!.cursor };

    expect(values(list, await read(list, between))).toEqual(all[list].slice(5, 9));
    expect(values(list, await read(list, { ...between, first: 2 }))).toEqual(all[list].slice(5, 7));
    expect(values(list, await read(list, { ...between, last: 2 }))).toEqual(all[list].slice(7, 9));
  });
});

describe('an empty page', () => {
  test('has no rows, no cursors and no neighbours', async () => {
    await server.ask('ada', 'mutation { createChannel(input: { name: "zzz-silent" }) { id } }');
    const query = lists.messages.replace('busy', 'zzz-silent');
    const { channel } = await server.ask('ada', query);
    await server.ask('ada', 'mutation { deleteChannel(name: "zzz-silent") }');

    expect(channel.messages).toEqual({
      edges: [],
      pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
    });
  });
});
