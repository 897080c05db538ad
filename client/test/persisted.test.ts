import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { createClient } from '@urql/core';
import type { DocumentNode } from 'graphql';
import { expect, test } from 'vitest';
import { pipe, subscribe } from 'wonka';
import { eventually } from '../../test/support/eventually.ts';
import { until } from '../../test/support/until.ts';
import { realtimeLink } from '../src/apollo.ts';
import { expiryOf } from '../src/claims.ts';
import {
  ChannelDocument,
  ChannelMessageDocument,
  CreateChannelDocument,
  SendMessageDocument,
  ViewerDocument,
} from '../src/documents/graphql.ts';
import type { RealtimeClient, RealtimeTransport } from '../src/index.ts';
import { realtimeExchange } from '../src/urql.ts';
import { site } from './support/site.ts';
import { isAttached } from './support/waits.ts';

/** A server that runs the operations of the package, and nothing else. */
const there = site({
  PERSISTED_OPERATIONS: 'client/src/documents/persisted-documents.json',
  PERSISTED_OPERATIONS_ONLY: '1',
});
let channels = 0;

async function channelBy(client: RealtimeClient): Promise<string> {
  channels += 1;
  const input = { name: `persisted-${channels}` };
  const { createChannel } = await client.execute({ document: CreateChannelDocument, variables: { input } });
  return createChannel.name;
}

const transports: readonly RealtimeTransport[] = ['ws', 'sse'];

test.each(transports)(
  'the documents of the package run over %s, and resume; nothing else does',
  async (transport) => {
    const client = there.client('ann', { transport });
    const channel = await channelBy(client);
    const aside = there.client('ann', { url: `${there.server.url}/graphql` });
    const say = (body: string) =>
      aside.execute({ document: SendMessageDocument, variables: { input: { channel, body } } });
    const bodies: string[] = [];
    const listen = () =>
      client.subscribe(
        { document: ChannelMessageDocument, variables: { channel } },
        { next: ({ data }) => bodies.push(data!.channelMessage.body) },
      );
    listen();
    await isAttached(there, 1);
    await say('1');
    await eventually(() => expect(bodies).toEqual(['1']));
    there.wire.cut();
    await say('2');
    await eventually(() => expect(bodies).toEqual(['1', '2']));
    // On a connection that is open, where it asks for its place first.
    listen();
    await isAttached(there, 2);
    await expect(aside.execute({ document: '{ viewer { id } }' })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  },
);

test('a token is replaced on the open socket there', async () => {
  const channel = await channelBy(there.client('ann'));
  const short = await there.server.token('ann', [], 3_000);
  const tokens = [short, await there.server.token('ann')];
  const client = there.client('ann', { token: () => tokens.shift() ?? null });
  client.subscribe({ document: ChannelMessageDocument, variables: { channel } }, { next: () => {} });
  await isAttached(there, 1);
  const before = client.connection as { connectionId: string };
  await until('the token has expired', 30_000, () => Date.now() > expiryOf(short)!);
  const { viewer } = await client.execute({ document: ViewerDocument });
  expect(viewer.user.id).toBe('ann');
  expect(client.connection).toMatchObject({ status: 'connected', connectionId: before.connectionId });
});

test('with Apollo Client, over our link', async () => {
  const realtime = there.client('ann');
  const channel = await channelBy(realtime);
  const client = new ApolloClient({ link: realtimeLink(realtime), cache: new InMemoryCache() });
  const bodies: (string | undefined)[] = [];
  client.subscribe({ query: ChannelMessageDocument, variables: { channel } }).subscribe({
    next: ({ data }) => bodies.push(data?.channelMessage.body),
  });
  await isAttached(there, 1);
  const input = { channel, body: 'hello' };
  await client.mutate({ mutation: SendMessageDocument, variables: { input } });
  await eventually(() => expect(bodies).toEqual(['hello']));
  const { data } = await client.query({ query: ChannelDocument, variables: { name: channel } });
  expect(data?.channel?.name).toBe(channel);
  // Its cache knows what it was told.
  expect(Object.keys(client.cache.extract() as object)).toContain(`Channel:${data?.channel?.id}`);
});

test('with urql, over our exchange', async () => {
  const realtime = there.client('ann');
  const channel = await channelBy(realtime);
  const exchanges = [realtimeExchange(realtime)];
  const client = createClient({ url: 'unused', exchanges, preferGetMethod: false });
  const bodies: (string | undefined)[] = [];
  const { unsubscribe } = pipe(
    client.subscription(ChannelMessageDocument, { channel }),
    subscribe(({ data }) => void bodies.push(data?.channelMessage.body)),
  );
  await isAttached(there, 1);
  await client.mutation(SendMessageDocument, { input: { channel, body: 'hello' } }).toPromise();
  await eventually(() => expect(bodies).toEqual(['hello']));
  const { data } = await client.query(ViewerDocument, {}).toPromise();
  expect(data?.viewer.user.id).toBe('ann');
  unsubscribe();
});

test('with the links of Apollo Client alone, over HTTP', async () => {
  const generateHash = (document: DocumentNode) =>
    (document as DocumentNode & { __meta__: { hash: string } }).__meta__.hash;
  const headers = { authorization: `Bearer ${await there.server.token('ann')}` };
  const link = new PersistedQueryLink({ generateHash }).concat(
    new HttpLink({ uri: `${there.server.url}/graphql`, headers }),
  );
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  const { data } = await client.query({ query: ViewerDocument });
  expect(data?.viewer.user.id).toBe('ann');
});
