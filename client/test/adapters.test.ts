import { ApolloClient, CombinedGraphQLErrors, gql, InMemoryCache } from '@apollo/client';
import { createClient } from '@urql/core';
import { expect, test } from 'vitest';
import { pipe, subscribe } from 'wonka';
import { eventually } from '../../test/support/eventually.ts';
import { realtimeLink } from '../src/apollo.ts';
import type { RealtimeClient } from '../src/index.ts';
import { memoryPositions } from '../src/positions.ts';
import { realtimeExchange } from '../src/urql.ts';
import { site } from './support/site.ts';
import { isAttached } from './support/waits.ts';

const there = site();

const messages = gql`
  subscription Messages($channel: String!) {
    channelMessage(channel: $channel) {
      id
      body
    }
  }
`;
const send = gql`
  mutation Send($input: SendMessageInput!) {
    sendMessage(input: $input) {
      id
      body
    }
  }
`;
const viewer = gql`
  query Viewer {
    viewer {
      id
    }
  }
`;

interface Heard {
  readonly bodies: string[];
  readonly positions: unknown[];
  /** The first error's code, or `network`. */
  readonly refusals: string[];
  /** The channels that are to be fetched anew. */
  readonly resyncs: string[];
  end(): void;
}

/** What an application does with another library's client. */
interface Application {
  listen(channel: string, context?: { realtimeKey?: string }): Heard;
  ask(document: typeof viewer, variables?: Record<string, unknown>): Promise<unknown>;
}

const codeOf = (errors: readonly { extensions?: { code?: unknown } }[] | undefined) =>
  String(errors?.[0]?.extensions?.code);

function withApollo(realtime: RealtimeClient): Application {
  const client = new ApolloClient({ link: realtimeLink(realtime), cache: new InMemoryCache() });
  return {
    listen(channel, context = {}) {
      const heard: Heard = { bodies: [], positions: [], refusals: [], resyncs: [], end: () => {} };
      const subscription = client
        .subscribe<{ channelMessage: { body: string } }>({
          query: messages,
          variables: { channel },
          context: { ...context, onResync: () => heard.resyncs.push(channel) },
        })
        .subscribe({
          next: ({ data, error, extensions }) => {
            if (CombinedGraphQLErrors.is(error)) heard.refusals.push(codeOf(error.errors));
            if (!data) return;
            heard.bodies.push(data.channelMessage.body);
            heard.positions.push(extensions?.position);
          },
        });
      return Object.assign(heard, { end: () => subscription.unsubscribe() });
    },
    async ask(document, variables = {}) {
      const isMutation = document === send;
      const { data } = isMutation
        ? await client.mutate({ mutation: document, variables })
        : await client.query({ query: document, variables, fetchPolicy: 'network-only' });
      return data;
    },
  };
}

function withUrql(realtime: RealtimeClient): Application {
  const client = createClient({
    url: 'unused',
    exchanges: [realtimeExchange(realtime)],
    preferGetMethod: false,
  });
  return {
    listen(channel, context = {}) {
      const heard: Heard = { bodies: [], positions: [], refusals: [], resyncs: [], end: () => {} };
      const { unsubscribe } = pipe(
        client.subscription<{ channelMessage: { body: string } }>(
          messages,
          { channel },
          { ...context, onResync: () => heard.resyncs.push(channel) },
        ),
        subscribe(({ data, error, extensions }) => {
          if (error) heard.refusals.push(codeOf(error.graphQLErrors));
          if (!data) return;
          heard.bodies.push(data.channelMessage.body);
          heard.positions.push(extensions?.position);
        }),
      );
      return Object.assign(heard, { end: unsubscribe });
    },
    async ask(document, variables = {}) {
      const asked =
        document === send ? client.mutation(document, variables) : client.query(document, variables);
      const { data, error } = await asked.toPromise();
      if (error) throw error;
      return data;
    },
  };
}

const libraries = [
  ['Apollo Client', withApollo],
  ['urql', withUrql],
] as const;

test.each(libraries)('%s resumes a plain subscription', async (_name, application) => {
  const { listen } = application(there.client('ann'));
  const channel = await there.channel('ann');
  const heard = listen(channel);
  await isAttached(there, 1);
  await there.send('ann', channel, '1');
  await eventually(() => expect(heard.bodies).toEqual(['1']));
  there.wire.isDown = true;
  there.wire.cut();
  await there.send('ann', channel, '2', '3');
  there.wire.isDown = false;
  await eventually(() => expect(heard.bodies).toEqual(['1', '2', '3']));
  expect(new Set(heard.positions).size).toBe(3);
  expect(heard.positions.every((position) => typeof position === 'string')).toBe(true);
  heard.end();
  await isAttached(there, 0);
});

test.each(libraries)('%s asks and changes, over the same socket', async (_name, application) => {
  const { listen, ask } = application(there.client('ann'));
  const channel = await there.channel('ann');
  const heard = listen(channel);
  await isAttached(there, 1);
  const before = there.wire.connections;
  expect(await ask(viewer)).toMatchObject({ viewer: { id: 'ann' } });
  expect(await ask(send, { input: { channel, body: 'hello' } })).toMatchObject({
    sendMessage: { body: 'hello' },
  });
  await eventually(() => expect(heard.bodies).toEqual(['hello']));
  expect(there.wire.connections).toBe(before);
  heard.end();
  await isAttached(there, 0);
});

test.each(libraries)('%s is told what is refused', async (_name, application) => {
  const { listen, ask } = application(there.client('ann'));
  const heard = listen('nowhere');
  await eventually(() => expect(heard.refusals).toEqual(['NOT_FOUND']));
  await expect(ask(send, { input: { channel: 'nowhere', body: 'x' } })).rejects.toThrow();
});

test.each(libraries)(
  '%s continues under a key on another page, or is told that it cannot',
  async (_name, application) => {
    const storage = memoryPositions();
    const channel = await there.channel('ann');
    const first = there.client('ann', { storage });
    application(first).listen(channel, { realtimeKey: 'messages' });
    await isAttached(there, 1);
    first.dispose();
    await there.send('ann', channel, 'between');
    const second = there.client('ann', { storage });
    const heard = application(second).listen(channel, { realtimeKey: 'messages' });
    await eventually(() => expect(heard.bodies).toEqual(['between']));
    second.dispose();

    storage.set('messages', 'no position');
    const told = application(there.client('ann', { storage })).listen(channel, { realtimeKey: 'messages' });
    await eventually(() => expect(told.resyncs).toEqual([channel]));
  },
);
