import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { createLog, type Log } from '../../src/observability/log.ts';
import { serve } from '../../src/server.ts';
import { type Caller, callerOf } from '../support/caller.ts';
import { freshDatabase } from '../support/database.ts';
import { freshEmbedded } from '../support/embedded.ts';
import { eventually } from '../support/eventually.ts';
import { spawnServer } from '../support/process.ts';
import { startRedis } from '../support/redis-server.ts';
import { postgresUrl, secret, testServer } from '../support/server.ts';
import { EventStreamClient } from '../support/sse.ts';
import { unlimited } from '../support/unlimited.ts';
import { SocketClient } from '../support/websocket.ts';

const forged = '{"level":60,"msg":"forged"}';
/** All but the ends of lines. */
const unseen = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const forms = [
  ['as JSON', false],
  ['in a terminal', true],
] as const;

/** A log as programs have it, and what it has written to its file. */
function logOf(isTerminal: boolean, secrets: readonly string[] = []): { log: Log; written(): string } {
  const folder = mkdtempSync(join(tmpdir(), 'realtime-log-'));
  const file = join(folder, 'log');
  const descriptor = openSync(file, 'w');
  onTestFinished(() => {
    closeSync(descriptor);
    rmSync(folder, { recursive: true });
  });
  return {
    log: createLog('trace', secrets, isTerminal, descriptor),
    written: () => readFileSync(file, 'utf8'),
  };
}

describe.each(forms)('a log %s refuses', (_form, isTerminal) => {
  test.each([
    ['a line of its own', `\n${forged}\n`],
    ['a line of its own after a carriage return', `\r\n${forged}\r\n`],
    ['a line that overwrites another', `\r${forged}`],
    ['the line separators of JavaScript', `\u2028${forged}\u2029${forged}`],
    ['the next line of EBCDIC', `\u0085${forged}\u0085`],
    ['commands to terminals', '\u001b[2J\u001b[1;1H\u001b]0;title\u0007'],
    ['commands to terminals in one character', '\u009b2J\u009d0;title\u009c'],
    ['backspaces over what is true', '\b\b\b\b\b\b\u007f\u007f'],
    ['text that is shown backwards', '\u202egnihton saw ti\u2066'],
    ['text that is not shown', 'a\u200bb\u{e0041}\ufeff\u0000'],
    ['the end of a value', '","level":60,"msg":"forged'],
    ['what is escaped already', '\\n\\u001b[2J\\'],
  ])('%s', (_attack, attack) => {
    const said = (value: string) => {
      const { log, written } = logOf(isTerminal);
      const cause = Object.assign(new Error(value), { code: value });
      log.warn(
        { userAgent: value, operationName: value, userId: value, reason: value, path: [value] },
        'refused',
      );
      log.error({ err: new Error(value, { cause }) }, 'unexpected error');
      log.error({ err: new AggregateError([value, cause], value) }, 'unexpected error');
      log.error({ err: value }, 'unexpected error');
      return written();
    };
    const [plain, hostile] = [said('harmless').split('\n'), said(attack).split('\n')];

    expect(hostile.length).toBe(plain.length);
    for (const line of hostile) expect(line).not.toMatch(unseen);
    expect(hostile.filter((line) => line.trim().startsWith(forged))).toEqual([]);
    if (isTerminal) return;
    // It is told all the same.
    const [first, second] = hostile.slice(0, -1).map((line) => JSON.parse(line));
    expect(first).toMatchObject({ level: 40, msg: 'refused', userAgent: attack, path: [attack] });
    expect(second).toMatchObject({ level: 50, err: { message: attack, cause: { code: attack } } });
  });

  test('frames of a stack that are a message', () => {
    const { log, written } = logOf(isTerminal);
    log.error({ err: new Error('no\n    at forged (somebody.ts:1:1)') }, 'unexpected error');
    const frames = (isTerminal ? written() : JSON.parse(written()).err.stack)
      .split('\n')
      .filter((line: string) => /^\s+at /.test(line));
    expect(frames.length).toBeGreaterThan(1);
    expect(frames.join('\n')).not.toContain('forged');
  });

  test('the parameters of a statement, whatever they look like', () => {
    const { log, written } = logOf(isTerminal);
    const failed =
      'Failed query: insert into messages values ($1)\nparams: my diary,\n    at home (1:1)\nfor me';
    log.error({ err: new Error(failed) }, 'unexpected error');
    expect(written()).toContain('insert into messages');
    expect(written()).not.toMatch(/diary|home|for me/);
  });

  test.each([
    ['a secret of the configuration', 'it was one "secret", long enough', /long enough/],
    ['one that is an address as well', encodeURIComponent('it was one "secret", long enough'), /long/],
    ['one that begins with another', 'it was one "secret", long enough, and longer', /longer/],
    ['a password in an address', 'connect to postgres://ada:pass@host/db', /pass/],
    ['a token in an address', 'GET /?refresh_token=opaque&x=1', /opaque/],
    ['a token on a line of its own', 'GET /\ntoken=opaque', /opaque/],
    ['an encoded token in an address', 'GET /%3Ftoken%3Dopaque', /opaque/],
    ['a header', 'Authorization:\nBearer opaque', /opaque/],
    ['a JSON Web Token', 'for eyJhbGciOi.eyJzdWIiOi.c2ln-_bmF0', /eyJ|c2ln|bmF0/],
    ['one on a line of its own', 'for\neyJhbGciOi.eyJzdWIiOi.c2lnbmF0', /eyJ|c2ln/],
    ['one behind a word', 'v1_eyJhbGciOi.eyJzdWIiOi.c2lnbmF0', /eyJ|c2ln/],
    ['an encrypted one', 'eyJhbGciOi..aXY.Y2lwaGVy.dGFn', /eyJ|aXY|Y2lw|dGFn/],
  ])('%s', (_what, told, kept) => {
    const secrets = ['it was one "secret", long enough', 'it was one "secret", long enough, and longer'];
    const { log, written } = logOf(isTerminal, secrets);
    log.error({ err: new Error(told), reason: told, path: [told] }, 'unexpected error');
    expect(written()).toContain('[hidden]');
    expect(written()).not.toMatch(kept);
  });

  test('to look at hostile text for long', () => {
    const { log, written } = logOf(isTerminal);
    const long = ['eyJ-', 'eyJ', '://a:', 'Bearer ', 'token=', '"token":"', 'eyJ.'].map((part) =>
      part.repeat(50_000),
    );
    const startedAt = performance.now();
    for (const reason of long) log.debug({ reason }, 'refused');
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(written()).toContain('refused');
  });
});

test('a log in a terminal goes on where a secret looks like a part of a line', () => {
  const year = String(Date.now()).slice(0, 8);
  const { log, written } = logOf(true, [year, '"msg":"refused"']);
  log.warn('refused');
  expect(written()).not.toContain(year);
});

describe.each(forms)('a server that logs %s', (_form, isTerminal) => {
  const hostile = `x\r\n${forged}\n\u001b[2J\u2028\u0085\u009b31m\b\u202e\u0000`;
  let server: { close(): Promise<void> };
  let caller: Caller;
  let folder: string;
  const written = () => readFileSync(join(folder, 'log'), 'utf8');

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'realtime-log-'));
    const config = parseConfig({ PORT: '0', DATA_DIR: 'memory:', JWT_SECRET: secret, ...unlimited });
    const descriptor = openSync(join(folder, 'log'), 'w');
    const log = createLog('trace', [], isTerminal, descriptor);
    const running = await serve({ ...config, drainSeconds: 0 }, await freshEmbedded(), log);
    server = running;
    caller = callerOf(running.url, secret);
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  test('writes no line of what its clients say', async () => {
    const { url } = caller;
    const post = async (body: object, headers: Record<string, string> = {}) => {
      const authorization = `Bearer ${await caller.token('ada', ['admin'])}`;
      const asked = { 'content-type': 'application/json', authorization, ...headers };
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: asked,
        body: JSON.stringify(body),
      });
      return response.text();
    };
    const variables = { hostile };
    const latin = 'x\u0085\u009b31m';
    const create = 'mutation Create($hostile: String!) { createChannel(input: { name: $hostile }) { id } }';
    const send =
      'mutation Send($hostile: String!) { sendMessage(input: { channel: $hostile, body: $hostile }) { id } }';
    await post({ query: create, variables });
    await post({ query: send, variables });
    await post({ query: '{ viewer { id } }', operationName: hostile });
    await post({ query: `{ channel(name: ${JSON.stringify(hostile)}) { nothing } } ${hostile}` });
    await post({ query: '{ viewer { id } }', extensions: { traceparent: hostile } });
    await post({ [hostile]: hostile });
    await post({ query: '{ nothing }' }, { 'user-agent': latin, origin: latin, 'x-forwarded-for': latin });
    await post({ query: '{ viewer { id } }' }, { authorization: `Bearer ${latin}` });
    for (const path of [
      `/${encodeURIComponent(hostile)}`,
      `/realtime/events?topics=${encodeURIComponent(hostile)}`,
    ])
      await (await fetch(url + path, { headers: { 'user-agent': latin } })).text();
    const { hostname, port } = new URL(url);
    const broken = connect(Number(port), hostname);
    broken.end(`GET /${hostile} HTTP/1.1\r\nx: ${hostile}\r\n\r\n`);
    await text(broken);

    await caller.run(hostile, '{ viewer { id } }');
    const named = new SocketClient(`${url}/graphql`, { token: hostile, [hostile]: hostile });
    await named.closed;
    const socket = new SocketClient(
      `${url}/graphql`,
      { token: await caller.token('ada') },
      { headers: { 'user-agent': latin } },
    );
    await socket.acknowledged;
    socket.run({ query: '{ nothing }' }, hostile);
    await socket.run({ query: '{ viewer { id } }' }, 'next').next();
    socket.socket.close(4000, hostile);
    await socket.closed;
    const away = await caller.socket('ada');
    await caller
      .ask(
        'root',
        'mutation($reason: String) { disconnect(userId: "ada", reason: $reason) }',
        { reason: 'x\u001b[2J\u2028\u202e' },
        ['admin'],
      )
      .catch(() => {});
    away.cut();

    await eventually(() => expect(written().match(/connection closed/g)?.length).toBeGreaterThan(1));
    const lines = written().split('\n');
    for (const line of lines) expect(line).not.toMatch(unseen);
    expect(lines.filter((line) => line.trim().startsWith(forged))).toEqual([]);
    // What was refused is there, in a form that can be read.
    expect(written()).toMatch(/\\u009b31m/);
    if (!isTerminal) for (const line of lines.slice(0, -1)) expect(JSON.parse(line).msg).not.toBe('forged');
  });
});

describe('a server process', () => {
  test('tells none of its secrets, and no token, whatever happens to it', async () => {
    const redis = await startRedis({ requirepass: 'the password of Redis' });
    const database = await freshDatabase();
    onTestFinished(async () => {
      await redis.stop();
      await database.drop();
    });
    const secrets = {
      tokens: 'a "secret" of tokens \\ that nobody else has',
      metrics: 'a token of metrics',
      database: 'p@ss word/of PostgreSQL',
      redis: 'the password of Redis',
      tracing: 'the key of a collector',
    };
    const databaseUrl = new URL(database.url);
    databaseUrl.password ||= encodeURIComponent(secrets.database);
    const server = await spawnServer({
      NODE_ENV: 'production',
      LOG_LEVEL: 'trace',
      JWT_SECRET: secrets.tokens,
      METRICS_TOKEN: secrets.metrics,
      DATABASE_URL: databaseUrl.href,
      REDIS_URL: redis.url.replace('//', `//:${encodeURIComponent(secrets.redis)}@`),
      // Nobody listens there.
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_EXPORTER_OTLP_HEADERS: `api-key=${encodeURIComponent(secrets.tracing)}`,
    });
    const caller = callerOf(server.url, secrets.tokens);
    const token = await caller.token('ada', ['admin']);
    const url = `${server.url}/graphql`;
    const ask = async (path: string, headers = {}, init: RequestInit = {}) =>
      (await fetch(server.url + path, { ...init, headers })).text();

    await caller.ask('ada', 'mutation { createChannel(input: { name: "general" }) { id } }', {}, ['admin']);
    const listen = { query: 'subscription { channelMessage(channel: "general") { body } }' };
    const socket = new SocketClient(`${url}?token=${token}`, {});
    await socket.acknowledged;
    socket.run(listen);
    const stream = new EventStreamClient(`${url}?token=${token}`, null, listen);
    await stream.opened;
    const plain = await fetch(`${server.url}/realtime/events?token=${token}`);
    for (const wrong of [`${token}x`, secrets.metrics]) {
      const encoded = encodeURIComponent(wrong);
      await ask(`/realtime/events?token=${encoded}`);
      await ask('/elsewhere', { authorization: `Bearer ${wrong}`, cookie: `token=${wrong}` });
      await ask(`/elsewhere/${encoded}`, { 'user-agent': wrong });
      await ask('/metrics', { authorization: `Bearer ${wrong}` });
      await new SocketClient(`${url}?token=${encoded}`, { token: wrong }).closed;
    }
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    await ask('/graphql', headers, { method: 'POST', body: `{"query":"${token}` });
    const refused = `query ${secrets.metrics.replaceAll(' ', '_')} { channel(name: "${secrets.tokens}") }`;
    await ask('/graphql', headers, { method: 'POST', body: JSON.stringify({ query: refused }) });

    // What nobody expects, and what is away.
    const send =
      'mutation($body: String!) { sendMessage(input: { channel: "general", body: $body }) { id } }';
    const { default: postgres } = await import('postgres');
    const sql = postgres(database.url, { max: 1, onnotice: () => {} });
    await sql`drop table messages cascade`;
    const { errors } = await caller.run('ada', send, { body: `${token} ${secrets.tokens}` }, ['admin']);
    expect(errors?.[0]?.extensions.code).toBe('INTERNAL_SERVER_ERROR');
    await redis.kill();
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()`;
    await sql.end();
    await eventually(() => expect(server.errors()).toContain('the bus is away'));
    await eventually(async () => {
      expect((await caller.run('ada', '{ viewer { id } }')).data?.viewer.id).toBe('ada');
    });
    socket.cut();
    stream.cut();
    await plain.body?.cancel();
    server.signal('SIGTERM');
    expect(await server.ended).toBe(0);

    for (const told of ['"started"', '"refused"', '"connection closed"', '"unexpected error"', '"closed"'])
      expect(server.errors()).toContain(`"msg":${told}`);
    const [, payload, signature] = token.split('.');
    const all = [...Object.values(secrets), databaseUrl.password, payload!, signature!];
    const forms = all.flatMap((one) => [one, encodeURIComponent(one), JSON.stringify(one).slice(1, -1)]);
    const said = server.output() + server.errors();
    expect(forms.filter((form) => said.includes(form))).toEqual([]);
  });

  describe('that meets what nobody expects', () => {
    let output: string;
    let lines: { level: number; msg: string; err: any }[];
    let code: number | null;

    beforeAll(async () => {
      const fixture = fileURLToPath(new URL('./fixtures/meet-the-unexpected.ts', import.meta.url));
      const child = spawn(process.execPath, ['--import', 'tsx', fixture], { stdio: 'pipe' });
      const ended = once(child, 'exit');
      const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
      [code] = await ended;
      output = out;
      lines = errors
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    });

    test('goes on after a failure that nobody waited for, having logged and counted it', () => {
      expect(lines[0]).toMatchObject({
        level: 50,
        msg: 'something failed that nobody had waited for',
        err: { type: 'Error', message: 'nobody waited', cause: { message: 'for this' } },
      });
      expect(lines[1]).toMatchObject({ level: 50, err: { type: 'object', message: '[object Object]' } });
      expect(output).toBe('realtime_unhandled_rejections_total 2');
    });

    test('ends after an exception that nobody caught, having logged it with its cause', () => {
      expect(lines[2]).toMatchObject({
        level: 60,
        msg: 'the process ends: nobody has caught this',
        err: { type: 'Error', message: 'nobody caught', cause: { message: 'this' } },
      });
      expect(lines.length).toBe(3);
      expect(code).toBe(1);
    });
  });
});

describe('operators are answered', () => {
  test('by /metrics while PostgreSQL holds its connections and says nothing', async () => {
    const database = await freshDatabase();
    const own = new URL(database.url);
    const there = new URL(postgresUrl());
    const sockets = new Set<Socket>();
    const between = createServer((client) => {
      const upstream = connect(Number(there.port || 5432), there.hostname);
      client.pipe(upstream).pipe(client);
      for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
    }).listen(0, '127.0.0.1');
    await once(between, 'listening');
    own.host = `127.0.0.1:${(between.address() as { port: number }).port}`;
    const server = await testServer('postgres', { LOG_LEVEL: 'silent' }, own.href);

    for (const socket of sockets) socket.pause();
    between.on('connection', (socket) => socket.pause());
    const response = await fetch(`${server.url}/metrics`, { signal: AbortSignal.timeout(5_000) });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('realtime_outbox_depth -1');

    between.close();
    for (const socket of sockets) socket.destroy();
    await server.close();
    await database.drop();
  });

  test('by /ready that a database takes no writes', async () => {
    const server = await testServer('postgres', { LOG_LEVEL: 'silent' });
    const name = new URL(server.databaseUrl!).pathname.slice(1);
    await server.sql(`alter database ${name} set default_transaction_read_only = on`);
    await server
      .sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`)
      .catch(() => {});
    await eventually(async () => {
      const response = await fetch(`${server.url}/ready`);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({ missing: { postgres: 'takes no writes' } });
    });
    await server.close();
  });
});
