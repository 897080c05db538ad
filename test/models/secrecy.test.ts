import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelStream } from '../support/model-stream.ts';
import { databases, type TestServer, testServer } from '../support/server.ts';

const watch = 'mutation Watch($input: WatchModelInput!) { watchModel(input: $input) { id } }';

/** Rows that somebody may not see. Each test tries another way to learn of them. */
describe.each(databases)('what a viewer may not see on %s', (kind) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await testServer(kind);
    for (const person of ['ada', 'bob', 'eve']) await server.ask(person, '{ viewer { id } }');
    await server.ask('ada', 'mutation { createChannel(input: { name: "closed", kind: PRIVATE }) { id } }');
    await server.sql(
      'create table accounts (id int primary key, owner text, channel text, balance numeric, pin text, note text)',
    );
    const columns = ['id', 'balance', 'note'];
    for (const [name, audience, audienceColumn] of [
      ['Account', 'OWNER', 'owner'],
      ['Shared', 'CHANNEL', 'channel'],
      ['Audit', 'SERVICE', null],
      ['Public', 'EVERYONE', null],
    ]) {
      const input = { table: 'accounts', name, audience, audienceColumn, columns };
      await server.ask('root', watch, { input }, ['admin']);
    }
  });
  afterAll(() => server.close());

  /** Everything that a stream is told until a row of Public, which is visible to all, has come. */
  async function quiet(streams: readonly ModelStream[]): Promise<void> {
    const witness = await ModelStream.open(server, 'root', { model: 'Audit', ids: ['999'] }, ['admin']);
    await server.sql(
      "insert into accounts values (999, 'nobody', 'nowhere', 0, '', '')",
      'delete from accounts where id = 999',
    );
    await witness.next();
    await witness.next();
    await witness.socket.close();
    // A round trip on each: what was told before has come.
    for (const { socket } of streams) await socket.run({ query: '{ viewer { id } }' }).next();
  }

  test("is not told of another's rows, by no filter and no id", async () => {
    const streams = await Promise.all(
      [
        { model: 'Account' },
        { model: 'Account', ids: ['1'] },
        { model: 'Account', where: { id: 1 } },
        { model: 'Account', where: { balance: [10, 20, 30] } },
        { model: 'Account', where: { note: null } },
        { model: 'Account', actions: ['DELETED'] },
        { model: 'Shared' },
        { model: 'Shared', ids: ['1'] },
      ].map((variables) => ModelStream.open(server, 'eve', variables)),
    );
    await server.sql(
      "insert into accounts values (1, 'ada', 'closed', 10, '1234', null)",
      'update accounts set balance = 20 where id = 1',
      "update accounts set owner = 'bob' where id = 1",
      "update accounts set owner = 'ada', channel = 'nowhere' where id = 1",
      'delete from accounts where id = 1',
    );
    await quiet(streams);
    for (const stream of streams) {
      expect(stream.waiting).toEqual([]);
      await stream.socket.close();
    }
  });

  test('is not shown, nor named as changed, nor filtered by, where a column is not listed', async () => {
    const { position } = await server.ask('eve', '{ position }');
    const stream = await ModelStream.open(server, 'eve', { model: 'Public' });
    await server.sql(
      "insert into accounts values (2, 'ada', null, 10, '1234', 'n')",
      "update accounts set pin = '4321', owner = 'bob' where id = 2",
      "update accounts set pin = '1111', balance = 11 where id = 2",
      'delete from accounts where id = 2',
    );
    // A change of hidden columns alone is not told: not even that there was one.
    const told = [await stream.next(), await stream.next(), await stream.next()];
    expect(told.map(({ action, changed }) => [action, changed])).toEqual([
      ['CREATED', []],
      ['UPDATED', ['balance']],
      ['DELETED', []],
    ]);
    await quiet([stream]);
    const later = await ModelStream.open(server, 'eve', { model: 'Public', ids: ['2'], after: position });
    const replayed = [await later.next(), await later.next(), await later.next()];
    for (const secret of ['pin', '1234', '4321', '1111', 'owner', 'bob', 'channel']) {
      expect(JSON.stringify([told, replayed, stream.waiting])).not.toContain(secret);
    }
    for (const { socket } of [stream, later]) await socket.close();
    for (const where of [{ pin: '1234' }, { owner: 'ada' }, { channel: 'closed' }]) {
      const oracle = await ModelStream.open(server, 'eve', { model: 'Public', where });
      expect(await oracle.code()).toBe('BAD_USER_INPUT');
      await oracle.socket.close();
    }
  });

  test('answers alike whether it is hidden or not there', async () => {
    const refusal = async (model: string) => {
      const payload = await server.socket('eve').then(async (socket) => {
        const answer = await socket
          .run({ query: `subscription { modelUpdated(model: "${model}") { recordId } }` })
          .next();
        await socket.close();
        return answer;
      });
      return JSON.stringify(payload.errors).replaceAll(model, 'X');
    };
    expect(await refusal('Audit')).toBe(await refusal('Nothing'));
  });

  test('is not told of what became of a row that left them, nor of what it was before it came', async () => {
    const [ada, bob] = [
      await ModelStream.open(server, 'ada', { model: 'Account' }),
      await ModelStream.open(server, 'bob', { model: 'Account' }),
    ];
    await server.sql(
      "insert into accounts values (3, 'ada', null, 77, '1', 'before')",
      "update accounts set owner = 'bob', balance = 88, note = 'after' where id = 3",
      'update accounts set balance = 99 where id = 3',
    );
    const seen = { ada: [await ada.next(), await ada.next()], bob: [await bob.next(), await bob.next()] };
    await quiet([ada, bob]);
    expect(JSON.stringify([seen.ada, ada.waiting])).not.toMatch(/88|99|after|bob/);
    expect(JSON.stringify([seen.bob, bob.waiting])).not.toMatch(/77|before|ada/);
    expect([...ada.waiting, ...bob.waiting]).toEqual([]);
    // Coming back later shows no more than being there did, and nothing of what is no longer theirs.
    const back = await ModelStream.open(server, 'ada', { model: 'Account', after: ada.position });
    await quiet([back]);
    expect(back.waiting).toEqual([]);
    for (const { socket } of [ada, bob, back]) await socket.close();
  });

  test("cannot use another's position to hear another's rows, nor read a count out of positions", async () => {
    const ada = await ModelStream.open(server, 'ada', { model: 'Account' });
    await server.sql(
      "insert into accounts values (4, 'ada', null, 1, '1', 'a'), (5, 'ada', null, 2, '1', 'b')",
    );
    await ada.next();
    const between = ada.position!;
    await ada.next();
    const eve = await ModelStream.open(server, 'eve', { model: 'Account', after: between });
    await quiet([eve]);
    expect(eve.waiting).toEqual([]);
    const positions = [between, ada.position!, (await server.ask('eve', '{ position }')).position];
    expect(new Set(positions.map((position: string) => position.length)).size).toBe(1);
    for (const { socket } of [ada, eve]) await socket.close();
  });

  test('loses a private channel at once: nothing that was committed after is told', async () => {
    await server.ask('ada', 'mutation { addChannelMember(channel: "closed", userId: "eve") { id } }');
    const eve = await ModelStream.open(server, 'eve', { model: 'Shared' });
    await server.sql("insert into accounts values (6, 'x', 'closed', 1, '1', 'before')");
    expect((await eve.next()).recordId).toBe('6');
    await server.ask('ada', 'mutation { removeChannelMember(channel: "closed", userId: "eve") { id } }');
    await server.sql(
      "insert into accounts values (7, 'x', 'closed', 1, '1', 'after')",
      "update accounts set note = 'late' where id = 6",
    );
    expect(await eve.code()).toBe('POSITION_EXPIRED');
    expect(eve.waiting.filter(({ type }) => type !== 'complete')).toEqual([]);
    const back = await ModelStream.open(server, 'eve', { model: 'Shared', after: eve.position });
    expect(await back.code()).toBe('POSITION_EXPIRED');
    for (const { socket } of [eve, back]) await socket.close();
  });
});
