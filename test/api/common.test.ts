import fc from 'fast-check';
import { execute, isObjectType, Kind, parse, visit } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCommonContext, createContext, type Domain } from '../../src/context.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import type { Registry } from '../../src/db/registry.ts';
import { createChannels } from '../../src/domain/channel.ts';
import { createMessages } from '../../src/domain/message.ts';
import { createSessions } from '../../src/domain/session.ts';
import { createUsers } from '../../src/domain/user.ts';
import type { Role, Viewer } from '../../src/domain/viewer.ts';
import type { JournalEvent } from '../../src/realtime/event.ts';
import { Positions } from '../../src/realtime/position.ts';
import { isCommon } from '../../src/schema/common.ts';
import { schema } from '../../src/schema/index.ts';
import { freshDatabase } from '../support/database.ts';

let database: Database;
let drop: () => Promise<void>;
let domain: Domain;
let events: JournalEvent[];

const people = ['ada', 'bob', 'eve', 'root'];

beforeAll(async () => {
  const fresh = await freshDatabase();
  drop = fresh.drop;
  database = openPostgres(fresh.url);
  await migrate(database);
  const positions = new Positions([{ id: '00'.repeat(8), key: Buffer.alloc(32), until: null }]);
  const parts = { database, positions, sending: async () => () => {}, committed: () => {} };
  domain = {
    users: createUsers(parts),
    channels: createChannels(parts),
    messages: createMessages(parts),
    sessions: createSessions({
      ...parts,
      registry: { isHere: (id: string) => id === 'bob' } as unknown as Registry,
      graceSeconds: 0,
    }),
  } as unknown as Domain;
  const issuedAt = new Date();
  for (const id of people) {
    await domain.users.provision({ id, name: `the ${id} “one”`, avatarUrl: undefined, issuedAt });
  }
  const ada: Viewer = { id: 'ada', roles: [] };
  await domain.channels.create(ada, { name: 'secret', kind: 'PRIVATE', memberIds: ['bob'] });
  const first = await domain.messages.send(ada, {
    channel: 'secret',
    body: 'first\n"ü"',
    data: { a: [1, null] },
  });
  const second = await domain.messages.send(ada, { channel: 'secret', body: 'second', replyToId: first.id });
  const edited = await domain.messages.edit(ada, first.id, 'again');
  events = [first, second, edited].map((row, index) => ({
    ...{ position: index + 1, topic: `channel:${row.channelId}`, prev: index, id: row.id, kind: 'message' },
    ...{ type: 'message.sent', recipientId: 'secret', subject: null, erases: false, control: false },
    ...{ payload: JSON.parse(JSON.stringify(row)), writtenAt: 0 },
  }));
});
afterAll(async () => {
  await database.close();
  await drop();
});

const leaves = (type: string) => {
  const named = schema.getType(type);
  if (!isObjectType(named)) throw new Error(type);
  return Object.values(named.getFields())
    .filter(({ type, args }) => args.length === 0 && !/^(User|Channel|Message)!?$/.test(String(type)))
    .map(({ name }) => name);
};

/** Random selections of a message, with aliases, fragments and nesting. */
const selection: fc.Arbitrary<string> = fc.letrec<Record<string, string>>((tie) => {
  const some = (type: string, ...nested: fc.Arbitrary<string>[]) =>
    fc
      .array(
        fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom('__typename', ...leaves(type)) },
          { weight: 1, arbitrary: fc.constantFrom(...leaves(type)).map((name) => `other_${name}: ${name}`) },
          { weight: 1, arbitrary: fc.constant('... on Entity { id }') },
          ...nested.map((arbitrary) => ({ weight: 1, arbitrary })),
        ),
        { minLength: 1, maxLength: 6 },
      )
      .map((fields) => `{ ${[...new Set(fields)].join(' ')} }`);
  return {
    user: some('User'),
    channel: some('Channel'),
    message: some(
      'Message',
      tie('user').map((inner) => `sender ${inner}`),
      tie('channel').map((inner) => `channel ${inner}`),
      fc
        .oneof({ depthSize: 'small', withCrossShrink: true }, fc.constant('{ id }'), tie('message'))
        .map((inner) => `replyTo ${inner}`),
      tie('user').map((inner) => `... on Message { sender ${inner} }`),
    ),
  };
}).message!;

const viewers = fc.record({
  id: fc.constantFrom(...people),
  roles: fc.subarray<Role>(['admin', 'service']),
});

const isValid = (text: string) => {
  // The same name with two selections is merged or refused; what is refused is not asked.
  const seen = new Map<string, string>();
  let isClear = true;
  visit(parse(text), {
    Field: ({ name, alias, selectionSet }) => {
      const key = alias?.value ?? name.value;
      const shape = JSON.stringify(selectionSet?.kind === Kind.SELECTION_SET);
      if (seen.has(key) && seen.get(key) !== shape) isClear = false;
      seen.set(key, shape);
    },
  });
  return isClear;
};

describe('what is executed once for many', () => {
  test('is for each of them what they would have been shown alone, byte for byte', async () => {
    const counts = { common: 0, apart: 0 };
    await fc.assert(
      fc.asyncProperty(
        selection,
        fc.array(viewers, { minLength: 1, maxLength: 3 }),
        async (fields, those) => {
          const text = `subscription { channelMessage(channel: "secret") ${fields} }`;
          fc.pre(isValid(text));
          const document = parse(text);
          counts[isCommon(schema, document) ? 'common' : 'apart'] += 1;
          for (const event of events) {
            let isTouched = false;
            const shown = async (contextValue: unknown) =>
              JSON.stringify(await execute({ schema, document, rootValue: event, contextValue }));
            const shared = await shown(
              createCommonContext(domain, () => {
                isTouched = true;
              }),
            );
            // Nothing may be found out of the viewer where all is declared common, and nothing else is shared.
            if (!isCommon(schema, document)) continue;
            expect(isTouched).toBe(false);
            for (const viewer of those) expect(await shown(createContext(domain, viewer))).toBe(shared);
          }
        },
      ),
      { numRuns: 300 },
    );
    expect(counts.common).toBeGreaterThan(30);
    expect(counts.apart).toBeGreaterThan(10);
  });

  test('never is what says how the viewer stands', async () => {
    const document = parse('subscription { channelMessage(channel: "secret") { channel { viewerRole } } }');
    expect(isCommon(schema, document)).toBe(false);
    let isTouched = false;
    const contextValue = createCommonContext(domain, () => {
      isTouched = true;
    });
    const { errors } = await execute({ schema, document, rootValue: events[0], contextValue });
    expect(isTouched).toBe(true);
    expect(errors?.[0]?.message).toContain('depends on its viewer');
  });
});
