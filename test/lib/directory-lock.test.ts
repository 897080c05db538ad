import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DirectoryLockedError, lockDirectory } from '../../src/lib/directory-lock.ts';

const fixture = fileURLToPath(new URL('./fixtures/lock-directory.ts', import.meta.url));
const timeout = 60_000;

let directory: string;
let contenders: Contender[];

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'directory-lock-')));
  contenders = [];
});

afterEach(async () => {
  await Promise.all(contenders.map((contender) => contender.kill()));
  await rm(directory, { recursive: true, force: true });
});

describe('A directory lock', () => {
  test('creates a missing directory that only its owner can enter', async () => {
    const missing = join(directory, 'deep', 'data');
    const lock = await lockDirectory(missing);
    expect((await stat(missing)).mode & 0o777).toBe(0o700);
    await lock.release();
  });

  test('refuses a second lock in the same process with a message that names the directory', async () => {
    const lock = await lockDirectory(directory);
    const second = lockDirectory(directory);
    await expect(second).rejects.toThrow(DirectoryLockedError);
    await expect(second).rejects.toThrow(
      `"${directory}" is in use by another process; give this one its own DATA_DIR`,
    );
    await lock.release();
  });

  test('leaves nothing behind and can be taken again once it is released', async () => {
    const first = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toThrow(DirectoryLockedError);
    await first.release();
    expect(await readdir(directory)).toEqual([]);
    const second = await lockDirectory(directory);
    await first.release();
    await expect(lockDirectory(directory)).rejects.toThrow(DirectoryLockedError);
    await second.release();
  });

  test('is refused while another process holds it', { timeout }, async () => {
    await expect(lockInChild(directory)).resolves.toMatchObject({ answer: 'locked' });
    await expect(lockDirectory(directory)).rejects.toThrow(DirectoryLockedError);
  });

  test('can be taken at once after its holder is killed', { timeout }, async () => {
    const { contender } = await lockInChild(directory);
    await contender.kill();
    expect(await readdir(directory)).toEqual(['lock']);
    const lock = await lockDirectory(directory);
    await lock.release();
  });

  test('is still refused while its holder is suspended', { timeout }, async () => {
    const { contender } = await lockInChild(directory);
    contender.child.kill('SIGSTOP');
    await expect(lockDirectory(directory)).rejects.toThrow(DirectoryLockedError);
  });

  test('goes to exactly one of ten processes that find a dead one’s lock', { timeout }, async () => {
    const { contender } = await lockInChild(directory);
    await contender.kill();
    const ten = await Promise.all(Array.from({ length: 10 }, () => startContender(directory)));
    const answers = await Promise.all(ten.map((each) => each.lock()));
    const refusal = `DirectoryLockedError: ${new DirectoryLockedError(directory).message}`;
    expect(answers.sort()).toEqual([...Array<string>(9).fill(refusal), 'locked']);
    expect(await readdir(directory)).toEqual(['lock']);
  });

  test('goes to one at a time however many take and release it', { timeout }, async () => {
    let holders = 0;
    let turns = 0;
    const takeTurns = async () => {
      for (let attempt = 0; attempt < 40; attempt++) {
        const lock = await lockDirectory(directory).catch(expectRefusal);
        if (!lock) continue;
        holders++;
        turns++;
        expect(holders).toBe(1);
        await readdir(directory);
        holders--;
        await lock.release();
      }
    };
    await Promise.all(Array.from({ length: 8 }, takeTurns));
    expect(turns).toBeGreaterThan(0);
  });

  test('works in a directory whose path is too long for a socket', { timeout }, async () => {
    const long = join(directory, 'a'.repeat(100), 'b'.repeat(100));
    const { contender, answer } = await lockInChild(long);
    expect(answer).toBe('locked');
    await expect(lockDirectory(long)).rejects.toThrow(DirectoryLockedError);
    await contender.kill();
    const lock = await lockDirectory(long);
    await expect(lockDirectory(long)).rejects.toThrow(DirectoryLockedError);
    await lock.release();
    expect(await readdir(long)).toEqual([]);
  });
});

interface Contender {
  child: ChildProcess;
  /** Tries to lock the directory and resolves to what the child says came of it. */
  lock(): Promise<string>;
  kill(): Promise<void>;
}

async function lockInChild(path: string): Promise<{ contender: Contender; answer: string }> {
  const contender = await startContender(path);
  return { contender, answer: await contender.lock() };
}

async function startContender(path: string): Promise<Contender> {
  const child = spawn(process.execPath, ['--import', 'tsx', fixture, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const readLine = async () => String((await lines.next()).value);
  const contender: Contender = {
    child,
    lock() {
      child.stdin.write('\n');
      return readLine();
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
  contenders.push(contender);
  expect(await readLine()).toBe('ready');
  return contender;
}

function expectRefusal(error: unknown): undefined {
  expect(error).toBeInstanceOf(DirectoryLockedError);
}
