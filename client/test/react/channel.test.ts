import { describe, expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { useChannel } from '../../src/react/index.ts';
import { page } from '../support/page.ts';
import { site } from '../support/site.ts';

const there = site();
const { draw } = page();

interface Shown {
  readonly messages: readonly { readonly body: string; readonly status: string; readonly key: string }[];
}

const bodiesOf = ({ messages }: Shown) => messages.map(({ body }) => body);
const statesOf = ({ messages }: Shown) => messages.map(({ body, status }) => `${body}: ${status}`);
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

/** The bodies that the server has, oldest first. */
async function stored(channel: string): Promise<string[]> {
  const query = `{ channel(name: "${channel}") { messages(last: 100) { edges { node { body } } } } }`;
  const { channel: found } = await there.server.ask('ann', query);
  return found.messages.edges.map(({ node }: { node: { body: string } }) => node.body);
}

describe('a channel', () => {
  test('has its history and what is sent while it is read, once and in order', async () => {
    const channel = await there.channel('ann');
    await there.send('ann', channel, ...numbers(1, 30));
    const meanwhile = there.send('ann', channel, ...numbers(31, 60));
    const seen = draw(there.client('ann'), () => useChannel(channel, { first: 10 }));
    expect(seen.value).toMatchObject({ loading: true, messages: [] });
    await meanwhile;
    await eventually(() => expect(bodiesOf(seen.value).at(-1)).toBe('60'));
    expect(seen.value).toMatchObject({ loading: false, error: null, channel: { name: channel } });
    for (const value of seen.values) {
      const bodies = bodiesOf(value);
      expect(bodies).toEqual(bodies.length === 0 ? [] : numbers(Number(bodies[0]), Number(bodies.at(-1))));
    }
    while (seen.value.hasOlder) await seen.value.loadOlder().then(() => eventually(() => seen.value));
    await eventually(() => expect(bodiesOf(seen.value)).toEqual(numbers(1, 60)));
  });

  test('shows edits and deletions of others', async () => {
    const channel = await there.channel('ann');
    await there.send('ann', channel, 'one', 'two');
    const seen = draw(there.client('bob'), () => useChannel(channel));
    await eventually(() => expect(bodiesOf(seen.value)).toEqual(['one', 'two']));
    const [one, two] = seen.value.messages;
    await there.server.ask('ann', `mutation { editMessage(id: "${one!.id}", body: "1") { id } }`);
    await there.server.ask('ann', `mutation { deleteMessage(id: "${two!.id}") { id } }`);
    await eventually(() => expect(bodiesOf(seen.value)).toEqual(['1', '']));
    expect(seen.value.messages[0]!.editedAt).not.toBeNull();
    expect(seen.value.messages[1]!.deletedAt).not.toBeNull();
  });

  test('shows what is sent at once, and then as it is on the server, never twice', async () => {
    const channel = await there.channel('ann');
    const seen = draw(there.client('ann'), () => useChannel(channel));
    await eventually(() => expect(seen.value.loading).toBe(false));
    const clientId = seen.value.send('hello');
    await eventually(() => expect(statesOf(seen.value)).toEqual(['hello: sent']));
    const others = draw(there.client('bob'), () => useChannel(channel));
    await eventually(() => expect(bodiesOf(others.value)).toEqual(['hello']));
    const shown = seen.values.filter(({ messages }) => messages.length > 0);
    expect(statesOf(shown[0]!)).toEqual(['hello: sending']);
    expect(shown[0]!.messages[0]).toMatchObject({ key: clientId, sender: { id: 'ann' } });
    for (const { messages } of shown) expect(messages.map(({ key }) => key)).toEqual([clientId]);
  });

  test('sends what was written while the wire was cut when it is back, in order and once', async () => {
    const channel = await there.channel('ann');
    const seen = draw(there.client('ann'), () => useChannel(channel));
    await eventually(() => expect(seen.value.loading).toBe(false));
    there.wire.isDown = true;
    there.wire.cut();
    for (const body of ['a', 'b', 'c']) seen.value.send(body);
    await there.send('ann', channel, 'from elsewhere');
    await eventually(() => expect(statesOf(seen.value)).toEqual(['a: sending', 'b: sending', 'c: sending']));
    there.wire.isDown = false;
    await eventually(() =>
      expect(statesOf(seen.value)).toEqual(['from elsewhere: sent', 'a: sent', 'b: sent', 'c: sent']),
    );
    expect(await stored(channel)).toEqual(['from elsewhere', 'a', 'b', 'c']);
  });

  test('keeps what was refused, to be sent again or discarded', async () => {
    const channel = await there.channel('ann');
    const seen = draw(there.client('bob'), () => useChannel(channel));
    await eventually(() => expect(seen.value.loading).toBe(false));
    const first = seen.value.send('may I?');
    const second = seen.value.send('never mind');
    await eventually(() => expect(statesOf(seen.value)).toEqual(['may I?: failed', 'never mind: failed']));
    expect(seen.value.messages[0]!.error).toMatchObject({ code: 'FORBIDDEN' });
    await there.server.ask('bob', `mutation { joinChannel(name: "${channel}") { id } }`);
    seen.value.retry(first);
    seen.value.discard(second);
    await eventually(() => expect(statesOf(seen.value)).toEqual(['may I?: sent']));
    expect(await stored(channel)).toEqual(['may I?']);
  });

  test("shows what is sent before it has been read as the viewer's own", async () => {
    const channel = await there.channel('ann');
    await there.send('ann', channel, 'one');
    const seen = draw(there.client('bob'), () => useChannel(channel));
    seen.value.send('may I?');
    await eventually(() => expect(statesOf(seen.value)).toEqual(['one: sent', 'may I?: failed']));
    for (const { channel: read, messages } of seen.values) {
      if (read) expect(messages.map(({ sender }) => sender?.id)).toEqual(['ann', 'bob']);
    }
  });

  test('lets go of what was told long ago, and reads it again when it is asked for', async () => {
    const channel = await there.channel('ann');
    await there.send('ann', channel, '0');
    const seen = draw(there.client('bob'), () => useChannel(channel, { first: 30 }));
    await eventually(() => expect(seen.value.loading).toBe(false));
    await there.send('ann', channel, ...numbers(1, 600));
    await eventually(() => expect(bodiesOf(seen.value).at(-1)).toBe('600'));
    expect(seen.value).toMatchObject({ hasOlder: true, error: null });
    expect(seen.value.messages.length).toBeLessThan(200);
    const before = Number(bodiesOf(seen.value)[0]);
    await seen.value.loadOlder();
    await eventually(() => expect(bodiesOf(seen.value)).toEqual(numbers(before - 30, 600)));
    for (const value of seen.values) {
      const bodies = bodiesOf(value);
      expect(bodies).toEqual(bodies.length === 0 ? [] : numbers(Number(bodies[0]), Number(bodies.at(-1))));
    }
  });

  test('keeps what is being sent when nobody looks, and lets it go when it has arrived', async () => {
    const channel = await there.channel('ann');
    const client = there.client('ann');
    const before = draw(client, () => useChannel(channel));
    await eventually(() => expect(before.value.loading).toBe(false));
    there.wire.isDown = true;
    there.wire.cut();
    before.value.send('on its way');
    before.leave();
    const after = draw(client, () => useChannel(channel));
    await eventually(() => expect(statesOf(after.value)).toEqual(['on its way: sending']));
    after.leave();
    there.wire.isDown = false;
    await eventually(async () => expect(await stored(channel)).toEqual(['on its way']));
    const again = draw(client, () => useChannel(channel));
    await eventually(() => expect(statesOf(again.value)).toEqual(['on its way: sent']));
  });

  test('that cannot be read says so; one that can again is read anew', async () => {
    const channel = await there.channel('ann');
    const kinds = `mutation { createChannel(input: { name: "${channel}-in", kind: PRIVATE, memberIds: ["bob"] }) { id } }`;
    await there.server.ask('bob', '{ viewer { id } }');
    await there.server.ask('ann', kinds);
    const seen = draw(there.client('bob'), () => useChannel(`${channel}-in`));
    await eventually(() => expect(seen.value.loading).toBe(false));
    const remove = `mutation { removeChannelMember(channel: "${channel}-in", userId: "bob") { id } }`;
    await there.server.ask('ann', remove);
    await eventually(() => expect(seen.value.error).toMatchObject({ code: 'NOT_FOUND' }));
    await there.server.ask(
      'ann',
      `mutation { addChannelMember(channel: "${channel}-in", userId: "bob") { id } }`,
    );
    seen.value.reload();
    await there.send('ann', `${channel}-in`, 'welcome back');
    await eventually(() => expect(bodiesOf(seen.value)).toEqual(['welcome back']));
    expect(seen.value.error).toBeNull();
  });
});
