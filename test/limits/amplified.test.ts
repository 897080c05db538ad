import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demandJson, demandLength, isUserId, largestJsonBytes } from '../../src/domain/input.ts';
import { notFound, Refusal } from '../../src/errors.ts';
import { type TestServer, testServer } from '../support/server.ts';

const times = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join(' ');

const large = 'é'.repeat(1_500_000);
const many = Array.from({ length: 150_000 }, () => '');

const message = 'channel: "general", body: "b"';

describe('what is sent once and used many times', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer('postgres', { OPERATION_RATE_PER_USER: '100000/1m' });
    await server.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
  });
  afterAll(() => server.close());

  test.each([
    [
      'many values in a literal of JSON',
      `mutation ($x: JSON) { sendMessage(input: { ${message}, data: [${times(1_000, () => '$x')}] }) { id } }`,
      many,
    ],
    [
      'a text in a literal of JSON',
      `mutation ($x: JSON) { sendMessage(input: { ${message}, data: [${times(4_000, () => '$x')}] }) { id } }`,
      large,
    ],
    [
      'a text by many fields',
      `mutation ($x: String!) { ${times(50, (at) => `a${at}: sendMessage(input: { channel: "general", body: $x }) { id }`)} }`,
      large,
    ],
    [
      'an id by many fields',
      `mutation ($x: ID!) { ${times(50, (at) => `a${at}: addChannelMember(channel: "general", userId: $x) { id }`)} }`,
      large,
    ],
  ])('is refused before it holds up others: %s', async (_what, query, x) => {
    const startedAt = performance.now();
    const { errors } = await server.run('ada', query, { x });

    expect(['LIMIT_EXCEEDED', 'NOT_FOUND']).toContain(errors![0]!.extensions.code);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  test('is refused before it holds up others: a text in `where`', async () => {
    const columns = ['id', 'name', 'avatar_url'].map((column) => `${column}: [${times(100, () => '$x')}]`);
    const query = `subscription ($x: JSON) { modelUpdated(model: "User", where: { ${columns.join(', ')} }) { recordId } }`;
    const startedAt = performance.now();
    const { stream } = await server.events('ada', { query, variables: { x: large } });

    expect((await stream.next()).errors?.[0]?.extensions.code).toBe('LIMIT_EXCEEDED');
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });
});

describe('what a client has said', () => {
  test('is repeated in a refusal as far as it is short', async () => {
    expect(notFound(`The channel "${'x'.repeat(300)}"`).message).toContain('x'.repeat(300));
    expect(notFound(`The channel "${large}"`).message.length).toBeLessThan(2_000);
    expect(new Refusal('BAD_USER_INPUT', '🙂'.repeat(10_000)).message.isWellFormed()).toBe(true);
  });
});

describe('as much as is promised is taken', () => {
  test.each([
    ['a text', (bytes: number) => 'x'.repeat(bytes - 2)],
    ['a list', (bytes: number) => ['x'.repeat(bytes - 6), 1]],
    ['an object', (bytes: number) => ({ key: 'x'.repeat(bytes - 10) })],
    ['text of two bytes', (bytes: number) => `${'é'.repeat((bytes - 4) / 2)}${'x'.repeat(2)}`],
  ])('of JSON: %s', (_what, ofBytes) => {
    expect(Buffer.byteLength(JSON.stringify(ofBytes(largestJsonBytes)))).toBe(largestJsonBytes);
    expect(() => demandJson('data', ofBytes(largestJsonBytes))).not.toThrow();
    expect(() => demandJson('data', ofBytes(largestJsonBytes + 2))).toThrow('larger than');
  });

  test('of characters, however many units each takes', () => {
    expect(() => demandLength('title', '🙂'.repeat(200), 200)).not.toThrow();
    expect(() => demandLength('title', `${'🙂'.repeat(199)}ab`, 200)).toThrow('longer than');
    expect(() => demandLength('title', '🙂'.repeat(201), 200)).toThrow('longer than');
    expect(isUserId('🙂'.repeat(128))).toBe(true);
    expect(isUserId('🙂'.repeat(129))).toBe(false);
  });
});
