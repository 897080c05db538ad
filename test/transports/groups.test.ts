import {
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  getOperationAST,
  type OperationDefinitionNode,
  parse,
} from 'graphql';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Context, Domain } from '../../src/context.ts';
import type { Log } from '../../src/observability/log.ts';
import { silent } from '../../src/realtime/meter.ts';
import { Positions } from '../../src/realtime/position.ts';
import type { Rendered } from '../../src/realtime/renderings.ts';
import { Source } from '../../src/realtime/source.ts';
import { Groups, type ViewerSink } from '../../src/transports/groups.ts';
import { createPresent, type Prepared } from '../../src/transports/operation.ts';
import { eventually } from '../support/eventually.ts';
import { TestSink, World } from '../support/world.ts';

/** A field of which the schema says that it is common to all viewers, and which is not. */
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { hello: { type: GraphQLString } } }),
  subscription: new GraphQLObjectType<unknown, Context>({
    name: 'Subscription',
    fields: {
      honest: { type: GraphQLString, extensions: { isCommon: true }, resolve: () => 'for all' },
      lying: {
        type: GraphQLString,
        args: { channel: { type: GraphQLString } },
        extensions: { isCommon: true },
        resolve: (_, __, { viewer }) => viewer?.id,
      },
    },
  }),
});

class Listener extends TestSink implements ViewerSink {
  readonly payloads: string[] = [];
  readonly viewer;

  constructor(id: string) {
    super(Number.POSITIVE_INFINITY);
    this.viewer = { id, roles: [] };
  }

  override write({ payload }: Rendered): void {
    this.payloads.push(payload);
  }
}

async function openGroups(isLenient: boolean) {
  const world = new World();
  await world.hub.start();
  onTestFinished(() => world.hub.close());
  const lines: string[] = [];
  const log = { error: (_: object, text: string) => lines.push(text), warn: () => {} } as unknown as Log;
  const groups = new Groups({
    schema,
    domain: {} as Domain,
    hub: world.hub,
    meter: silent,
    positions: new Positions([{ id: '00'.repeat(8), key: Buffer.alloc(32), until: null }]),
    present: createPresent({ log, refused: () => {} }),
    log,
    isLenient,
  });
  const follow = async (field: string, id: string, after: number | null = null, channel = 'a') => {
    const document = documents[field]!;
    const operation = getOperationAST(document) as OperationDefinitionNode;
    const [variables, shape] = [{ channel }, `${field} ${channel}`];
    const prepared = { document, operation, variables, shape, field } as unknown as Prepared;
    const source = new Source({ after, topics: async () => [channel], wants: () => true, isCommon: true });
    const sink = new Listener(id);
    const subscriber = groups.join(prepared, source, sink);
    await subscriber.start();
    return { sink, subscriber };
  };
  const relay = (channel = 'a') => {
    world.relay(channel, false);
    world.control(false);
  };
  return { groups, follow, relay, lines };
}

const documents: Record<string, ReturnType<typeof parse>> = {
  honest: parse('subscription { honest }'),
  lying: parse('subscription ($channel: String) { lying(channel: $channel) }'),
};
const people = ['ada', 'bob', 'eve'];
const dataOf = ({ sink }: { sink: Listener }) => sink.payloads.map((payload) => JSON.parse(payload).data);

describe('groups', () => {
  test('are one for all viewers where the schema declares that all are shown the same', async () => {
    const { groups, follow, relay } = await openGroups(false);
    const those = await Promise.all(people.map((id) => follow('honest', id)));
    expect(groups.size).toBe(1);
    relay();

    await eventually(() => {
      for (const one of those) expect(dataOf(one)).toEqual([{ honest: 'for all' }]);
    });
    // The very same text, made once.
    expect(new Set(those.map(({ sink }) => sink.payloads[0])).size).toBe(1);
  });

  test('come apart where that is not true, and everybody is shown what is theirs, once and in order', async () => {
    const { groups, follow, relay, lines } = await openGroups(true);
    relay();
    relay();
    const late = await follow('lying', 'zoe', 0);
    const those = await Promise.all(people.map((id) => follow('lying', id)));
    for (let index = 0; index < 5; index += 1) relay();
    const behind = await follow('lying', 'yan', 3);

    await eventually(() => {
      for (const [index, one] of those.entries()) {
        expect(dataOf(one)).toEqual(Array(5).fill({ lying: people[index] }));
      }
      expect(dataOf(late)).toEqual(Array(7).fill({ lying: 'zoe' }));
      expect(dataOf(behind)).toEqual(Array(4).fill({ lying: 'yan' }));
    });
    const positions = late.sink.payloads.map((payload) => JSON.parse(payload).extensions.position);
    expect(new Set(positions).size).toBe(7);
    expect(groups.size).toBe(5);
    expect(lines).toHaveLength(1);
    for (const { subscriber } of [late, behind, ...those]) subscriber.close();
    expect([groups.size, groups.subscriptions]).toEqual([0, 0]);
  });

  test('come apart for those as well who were told together until then', async () => {
    const { follow, relay } = await openGroups(true);
    const those = await Promise.all(people.map((id) => follow('lying', id)));
    await new Promise((resolve) => setImmediate(resolve));
    relay();
    relay();

    await eventually(() => {
      for (const [index, one] of those.entries()) {
        expect(dataOf(one)).toEqual(Array(2).fill({ lying: people[index] }));
      }
    });
  });

  test('come apart in every channel that is followed in the same words, and nobody misses anything', async () => {
    const { follow, relay, lines } = await openGroups(true);
    const channels = ['a', 'b', 'c'];
    const those = await Promise.all(
      channels.flatMap((channel) => people.map((id) => follow('lying', id, null, channel))),
    );
    await new Promise((resolve) => setImmediate(resolve));
    for (const channel of [...channels, ...channels]) relay(channel);

    await eventually(() => {
      for (const [index, one] of those.entries()) {
        expect(dataOf(one)).toEqual(Array(2).fill({ lying: people[index % people.length] }));
      }
    });
    expect(lines).toHaveLength(1);
  });

  test('fail outside of production, so that it is found', async () => {
    const { follow, relay } = await openGroups(false);
    const one = await follow('lying', 'ada');
    relay();

    await eventually(() => expect(one.sink.payloads).toHaveLength(1));
    expect(JSON.parse(one.sink.payloads[0]!).errors[0].extensions.code).toBe('INTERNAL_SERVER_ERROR');
  });
});
