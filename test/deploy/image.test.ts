import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { freshDatabase } from '../support/database.ts';

const run = promisify(execFile);
const project = fileURLToPath(new URL('../../', import.meta.url));
const dockerfile = readFileSync(join(project, 'Dockerfile'), 'utf8').replaceAll('\\\n', '');
const [, ...lastStage] = dockerfile
  .split(/^FROM /m)
  .at(-1)!
  .split('\n');

/** The last instruction of this name, as the image keeps it. */
function instruction(name: string): string {
  const line = lastStage.findLast((each) => each.startsWith(`${name} `));
  if (!line) throw new Error(`The Dockerfile has no ${name}.`);
  return line.slice(name.length + 1);
}

const commandOf = (text: string): string[] => JSON.parse(text.slice(text.indexOf('[')));
const environment = Object.fromEntries(
  instruction('ENV')
    .split(' ')
    .map((pair) => pair.split('=')),
);

/** An unprivileged user, where this one could be another. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** There is no Docker here: the image's commands, in a folder that they may only read, as nobody. */
describe('the image', () => {
  let folder: string;
  let database: Awaited<ReturnType<typeof freshDatabase>>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realtime-image-'));
    const [, bundle] = /^RUN node (scripts\/bundle\.js) server$/m.exec(dockerfile)!;
    await run(process.execPath, [bundle!, join(folder, 'server')], { cwd: project });
    // Linked file by file: the checkout may stand where nobody else may look.
    const packages = [join(project, 'node_modules'), folder];
    await run('cp', ['-al', ...packages]).catch(() => run('cp', ['-r', ...packages]));
    chmodSync(folder, 0o555);
    database = await freshDatabase();
  });
  afterAll(async () => {
    await database.drop();
    await rm(folder, { recursive: true });
  });

  test('is not run by root', () => {
    expect(instruction('USER')).toBe('node');
  });

  test('serves as somebody who may write nothing, is found healthy, and ends well when it is told to', async () => {
    const { PATH } = process.env;
    const settings = { JWT_SECRET: 'f00d'.repeat(16), DATABASE_URL: database.url, DRAIN_SECONDS: '0' };
    const env = { PATH, ...environment, ...settings, HOST: '127.0.0.1', PORT: '0' };
    const [program, ...parameters] = commandOf(instruction('CMD'));
    const server = spawn(program!, parameters, { cwd: folder, env, ...user, stdio: 'pipe' });
    onTestFinished(() => void server.kill('SIGKILL'));
    const ended = once(server, 'exit');
    const url = await listening(server);

    expect(await (await fetch(`${url}/ready`)).json()).toMatchObject({ status: 'ready' });
    expect(await health(new URL(url).port)).toBe(0);
    server.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
    expect(await health(new URL(url).port)).toBe(1);
  });

  async function health(port: string): Promise<number | null> {
    const [program, ...parameters] = commandOf(instruction('HEALTHCHECK'));
    const check = spawn(program!, parameters, {
      cwd: folder,
      env: { PATH: process.env.PATH, PORT: port },
      ...user,
    });
    const [code] = await once(check, 'exit');
    return code;
  }
});

function listening(server: ReturnType<typeof spawn>): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    for (const stream of [server.stdout!, server.stderr!]) {
      stream.on('data', (text) => {
        said += text;
        const [, url] = /^listening on (\S+)$/m.exec(said) ?? [];
        if (url) resolve(url);
      });
    }
    server.once('exit', (code) => reject(new Error(`ended with ${code}: ${said}`)));
  });
}
