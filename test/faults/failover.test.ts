import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { findPrograms, type OwnPostgres, startPostgres } from '../support/postgres-server.ts';
import { redisUrl, type TestServer, testServer } from '../support/server.ts';

const follow =
  'subscription Follow($after: Position) { channelMessage(channel: "general", after: $after) { body } }';
const send =
  'mutation Send($body: String!) { sendMessage(input: { channel: "general", body: $body, clientId: $body }) { id } }';

/** The standby of a moment: what the primary wrote after it, it has not got. */
async function promote(copy: string, port: number): Promise<OwnPostgres> {
  await writeFile(join(copy, 'data', 'standby.signal'), '');
  const standby = await startPostgres(findPrograms()!, { folder: copy, port });
  const sql = postgres(standby.url, { max: 1 });
  await sql`select pg_promote()`;
  await sql.end();
  return standby;
}

test('a standby that is promoted without the last events expires what lies behind it, and nothing else', async () => {
  let primary = await startPostgres(findPrograms()!);
  const original = primary.folder;
  const nodes: TestServer[] = [];
  for (let index = 0; index < 2; index += 1) {
    nodes.push(await testServer('postgres', { LOG_LEVEL: 'silent', REDIS_URL: redisUrl() }, primary.url));
  }
  const [one, other] = nodes as [TestServer, TestServer];
  onTestFinished(async () => {
    for (const node of nodes) await node.close();
    await primary.stop();
    rmSync(original, { recursive: true });
  });
  await one.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }');
  await one.ask('ada', 'mutation { createChannel(input: { name: "quiet" }) { id } }');
  await one.ask('ada', send, { body: 'kept' });
  const { position: kept } = await one.ask('ada', '{ position }');
  await primary.kill();
  const copy = `${primary.folder}-copy`;
  execFileSync('cp', ['-a', primary.folder, copy]);
  primary = await startPostgres(findPrograms()!, primary);

  const streams = [];
  for (const node of [one, other]) {
    const socket = await node.socket('ada');
    streams.push({
      quiet: socket.run({ query: 'subscription { channelMessage(channel: "quiet") { body } }' }),
      stream: socket.run({ query: follow, variables: { after: kept } }),
      socket,
    });
    await socket.run({ query: '{ viewer { id } }' }).next();
  }
  await eventually(() => one.ask('ada', send, { body: 'lost' }));
  const lost = [];
  for (const { stream } of streams) lost.push((await stream.next()).extensions!.position);
  await primary.kill();
  primary = await promote(copy, primary.port);

  // Who has heard what is no more is told so; who has not goes on.
  for (const { stream } of streams) {
    expect(await stream.frame()).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'POSITION_EXPIRED' } }],
    });
  }
  await eventually(() => one.ask('ada', send, { body: 'new' }));
  await one.ask('ada', send.replace('general', 'quiet'), { body: 'heard' });
  for (const { quiet, socket } of streams) {
    expect((await quiet.next()).data.channelMessage.body).toBe('heard');
    const after = (position: string) => socket.run({ query: follow, variables: { after: position } });
    const refused = await after(lost[0]!).frame();
    expect(refused).toMatchObject({ payload: { errors: [{ extensions: { code: 'POSITION_EXPIRED' } }] } });
    expect((await after(kept).next()).data.channelMessage.body).toBe('new');
  }
});
