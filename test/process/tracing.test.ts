import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CollectedSpan, Collector } from '../support/collector.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { buildMain, NodeProcess, signToken } from '../support/node-process.ts';
import { ask } from '../support/post.ts';
import { redisUrl } from '../support/server.ts';
import { SocketClient, type Stream } from '../support/websocket.ts';

const collector = new Collector();
const tellModules = fileURLToPath(new URL('./fixtures/tell-modules.cjs', import.meta.url));
let [database, nodes]: [Awaited<ReturnType<typeof freshDatabase>>, NodeProcess[]] = [null as never, []];
let alice: SocketClient;

/** Everything is asked of the first node, and heard from the second. */
beforeAll(async () => {
  database = await freshDatabase();
  const traced = {
    OTEL_EXPORTER_OTLP_ENDPOINT: await collector.start(),
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=of%20the%20tests',
    OTEL_SERVICE_NAME: 'traced',
  };
  const main = await buildMain();
  const shared = { DATABASE_URL: database.url, REDIS_URL: redisUrl(), ...traced };
  for (const name of ['one', 'two']) {
    const [host, port] = ['127.0.0.1', await freePort()];
    nodes.push(new NodeProcess({ name, main, host, port, environment: shared }));
  }
  await Promise.all(nodes.map((node) => node.start()));
  alice = new SocketClient(`${nodes[1]!.url}/graphql`, { token: await signToken('alice', ['admin']) });
  await alice.acknowledged;
});

afterAll(async () => {
  await alice.close();
  for (const node of nodes) node.signal('SIGTERM');
  expect(await Promise.all(nodes.map(({ ended }) => ended))).toEqual([0, 0]);
  collector.close();
  await database.drop();
});

const create = `mutation Create($name: String!) { createChannel(input: { name: $name }) { id } }`;
const send = `mutation Send($name: String!) { sendMessage(input: { channel: $name, body: "Hello" }) { id } }`;

describe('a trace', () => {
  test('covers one event from the mutation on one node to the socket write on another', async () => {
    const messages = await listen('hall', 'subscription { channelMessage(channel: "hall") { body } }');
    const client = newSpan();
    await asTraced(client, send, { name: 'hall' });
    await messages.next();

    const [mutation] = await found(client, 'mutation sendMessage');
    const [transaction] = await found(client, 'transaction');
    const [publish] = await found(client, 'publish');
    const receipts = await found(client, 'receive');
    const [execute] = await found(client, 'execute');
    const [write] = await found(client, 'write');
    const receive = receipts.find(({ spanId }) => spanId === execute!.parentSpanId)!;

    const chain = [mutation!, transaction!, publish!, receive, execute!, write!];
    expect(chain.map(({ parentSpanId }) => parentSpanId)).toEqual([
      client.spanId,
      ...chain.slice(0, -1).map(({ spanId }) => spanId),
    ]);
    const [asked, told] = [mutation!.instance, write!.instance];
    expect(asked).not.toBe(told);
    expect([transaction!.instance, receive.instance, execute!.instance]).toEqual([asked, told, told]);
    const [link] = publish!.links!;
    const batch = collector.spans.find(({ spanId }) => spanId === link!.spanId)!;
    expect(batch.name).toBe('relay batch');
    expect(batch.links).toContainEqual(expect.objectContaining({ spanId: transaction!.spanId }));
    expect(attributesOf(mutation!)).toEqual({
      'graphql.operation.type': 'mutation',
      'realtime.wire': 'http',
    });
    expect(attributesOf(write!)).toEqual({ 'realtime.deliveries': 1 });
    expect(collector.headers[0]).toMatchObject({ 'api-key': 'of the tests' });
  });

  test('goes with the events of a transaction, and with what triggers capture in it', async () => {
    const changes = await listen(null, 'subscription { modelUpdated(model: "Channel") { action } }');
    const client = newSpan();
    await asTraced(client, create, { name: 'garden' });
    await changes.next();

    const [transaction] = await found(client, 'transaction');
    const [publish] = await found(client, 'publish');
    expect(publish!.parentSpanId).toBe(transaction!.spanId);
    await found(client, 'write');
  });

  test('can be begun by another program that writes to a watched table', async () => {
    const changes = await listen(null, 'subscription { modelUpdated(model: "User") { action } }');
    const client = newSpan();
    const sql = postgres(database.url, { max: 1 });
    await sql.begin(async (tx) => {
      await tx`select set_config('realtime.trace', ${headerOf(client)}, true)`;
      await tx`update users set name = 'Alice of elsewhere' where id = 'alice'`;
    });
    await sql.end();
    await changes.next();

    const [publish] = await found(client, 'publish');
    expect(publish!.parentSpanId).toBe(client.spanId);
    await found(client, 'write');
  });

  test('is taken over from `extensions` where there are no headers', async () => {
    const client = newSpan();
    const extensions = { traceparent: headerOf(client) };
    await alice.run({ query: create, variables: { name: 'cellar' }, extensions }).next();

    const [mutation] = await found(client, 'mutation createChannel');
    expect(mutation!.parentSpanId).toBe(client.spanId);
    expect(attributesOf(mutation!)).toMatchObject({ 'realtime.wire': 'websocket' });
  });

  test('is not made of what its client does not want traced', async () => {
    const messages = await listen('attic', 'subscription { channelMessage(channel: "attic") { body } }');
    const [unwanted, wanted] = [newSpan(), newSpan()];
    await asTraced(unwanted, send, { name: 'attic' }, '00');
    await asTraced(wanted, send, { name: 'attic' });
    await messages.take(2);

    await found(wanted, 'write');
    expect(collector.spans.filter(({ traceId }) => traceId === unwanted.traceId)).toEqual([]);
  });
});

describe('without an endpoint', () => {
  test('nothing of OpenTelemetry is loaded but its interface', async () => {
    const environment = {
      DATABASE_URL: database.url,
      OTEL_TRACES_SAMPLER: 'always_on',
      DRAIN_SECONDS: '0',
      NODE_OPTIONS: `--require=${tellModules}`,
    };
    const main = await buildMain();
    const options = { name: 'untraced', main, host: '127.0.0.1', port: await freePort(), environment };
    const node = new NodeProcess(options);
    await node.start();
    await ask(node.url, await signToken('alice'), create, { name: 'shed' });
    node.signal('SIGTERM');

    expect(await node.ended).toBe(0);
    // prom-client has it.
    expect(node.log).toContain('loaded: api\n');
  });
});

interface ClientSpan {
  readonly traceId: string;
  readonly spanId: string;
}

const newSpan = (): ClientSpan => ({
  traceId: randomBytes(16).toString('hex'),
  spanId: randomBytes(8).toString('hex'),
});

const headerOf = ({ traceId, spanId }: ClientSpan, flags = '01') => `00-${traceId}-${spanId}-${flags}`;

async function asTraced(client: ClientSpan, query: string, variables: object, flags = '01'): Promise<void> {
  const response = await fetch(`${nodes[0]!.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${await signToken('alice', ['admin'])}`,
      traceparent: headerOf(client, flags),
    },
    body: JSON.stringify({ query, variables }),
  });
  expect(await response.json()).not.toHaveProperty('errors');
}

/** A subscription on the second node that has gone live: what is replayed is not traced. */
async function listen(channel: string | null, query: string): Promise<Stream> {
  if (channel !== null) await asTraced(newSpan(), create, { name: channel });
  const stream = alice.run({ query });
  // Answered behind the subscription.
  await alice.run({ query: '{ position }' }).next();
  return stream;
}

async function found({ traceId }: ClientSpan, name: string): Promise<CollectedSpan[]> {
  await eventually(() => expect(collector.named(traceId, name)).not.toEqual([]));
  return collector.named(traceId, name);
}

const attributesOf = ({ attributes }: CollectedSpan) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]));
