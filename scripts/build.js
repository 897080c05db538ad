import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('..', import.meta.url));
const source = join(project, 'src');
const output = join(project, 'dist');
const buildFiles = ['tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json'];
const unusedAfterMilliseconds = 60 * 60 * 1000;

/**
 * Compiles src/ unless these very sources are compiled already, and returns the directory that holds the
 * result. Any number of processes can build in one checkout at once, because a result only ever appears
 * complete, under a name that says what it was made from.
 *
 * @returns {Promise<string>}
 */
export async function build() {
  const result = resultDirectory();
  if (!existsSync(result)) {
    process.stderr.write('building …\n');
    const workplace = join(output, `.build-${process.pid}-${randomBytes(4).toString('hex')}`);
    try {
      await compile(workplace);
      await copyOtherFiles(workplace);
      // Someone saved a file meanwhile, so nobody can tell which version this result was made from.
      if (resultDirectory() !== result) return await build();
      await moveUnlessExists(workplace, result);
    } finally {
      await rm(workplace, { recursive: true, force: true });
    }
  }
  await markAsUsed(result);
  await removeUnused(result);
  return result;
}

function resultDirectory() {
  const hash = createHash('sha256');
  const sources = sourceFiles().map((path) => join('src', path));
  for (const path of [...sources, ...buildFiles].sort()) {
    const content = readFileSync(join(project, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return join(output, hash.digest('hex').slice(0, 16));
}

/** @returns {string[]} paths relative to src/ */
function sourceFiles() {
  const entries = readdirSync(source, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(source.length + 1));
}

/**
 * Ends the process when the compiler finds an error, since nothing can run then.
 *
 * @param {string} workplace
 */
async function compile(workplace) {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  const compiler = join(typescript, 'bin', 'tsc');
  const options = ['-p', join(project, 'tsconfig.build.json'), '--outDir', workplace];
  const { code, text } = await runNode([compiler, ...options]);
  if (code === 0) return;
  await rm(workplace, { recursive: true, force: true });
  process.stderr.write(text, () => process.exit(1));
  await new Promise(() => {});
}

/**
 * @param {string[]} parameters
 * @param {import('node:child_process').SpawnOptionsWithoutStdio} [options]
 * @returns {Promise<{ code: number | null, text: string }>}
 */
export function runNode(parameters, options = {}) {
  return new Promise((fulfil, reject) => {
    const child = spawn(process.execPath, parameters, {
      cwd: project,
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => fulfil({ code, text }));
  });
}

/**
 * Takes along what the compiler leaves behind, such as migrations.
 *
 * @param {string} workplace
 */
async function copyOtherFiles(workplace) {
  for (const path of sourceFiles().filter((each) => !each.endsWith('.ts'))) {
    await mkdir(dirname(join(workplace, path)), { recursive: true });
    await copyFile(join(source, path), join(workplace, path));
  }
}

/**
 * @param {string} workplace
 * @param {string} result
 */
export async function moveUnlessExists(workplace, result) {
  try {
    await rename(workplace, result);
  } catch (error) {
    // Another process was faster; on Windows that is reported as EPERM.
    if (!existsSync(result)) throw error;
  }
}

/**
 * Keeps a result that is started often, however old, from being removed while it starts.
 *
 * @param {string} result
 */
async function markAsUsed(result) {
  const now = new Date();
  // In a read-only checkout nothing is removed either.
  await utimes(result, now, now).catch(() => {});
}

/** @param {string} result */
async function removeUnused(result) {
  try {
    for (const name of await readdir(output)) {
      const path = join(output, name);
      if (path === result) continue;
      const age = Date.now() - (await stat(path)).mtimeMs;
      if (age > unusedAfterMilliseconds) await rm(path, { recursive: true, force: true });
    }
  } catch {
    // Several processes may be tidying up at once, and none of them needs it to work.
  }
}
