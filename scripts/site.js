import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rm, utimes } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { moveUnlessExists, runNode } from './build.js';

const project = fileURLToPath(new URL('..', import.meta.url));
const output = join(project, 'dist');
/** What the demo application is made from, and what it is made with. */
const folders = ['web/src', 'web/public', 'client/src'];
const files = ['web/index.html', 'web/vite.config.ts', 'web/package.json', 'package-lock.json'];

/**
 * Builds the demo application unless it is built of these very sources already, and returns the directory that holds
 * the result; null where Vite is not installed, as in an installation without what is there for development.
 *
 * @returns {Promise<string | null>}
 */
export async function buildSite() {
  const result = join(output, `site-${hashOfSources()}`);
  if (!existsSync(result)) {
    const vite = findVite();
    if (!vite) return null;
    process.stderr.write('building the demo …\n');
    const workplace = join(output, `.site-${process.pid}-${randomBytes(4).toString('hex')}`);
    try {
      // In a process of its own: it is for production, and the server that comes after may not be.
      const options = ['build', '--outDir', workplace, '--emptyOutDir', '--logLevel', 'warn'];
      const env = { ...process.env, NODE_ENV: 'production' };
      const { code, text } = await runNode([vite, ...options], { cwd: join(project, 'web'), env });
      if (code !== 0) throw new Error(text);
      await moveUnlessExists(workplace, result);
    } finally {
      await rm(workplace, { recursive: true, force: true });
    }
  }
  const now = new Date();
  // So that what is started often is not removed as unused; a checkout may be read-only.
  await utimes(result, now, now).catch(() => {});
  return result;
}

function hashOfSources() {
  const hash = createHash('sha256');
  const sources = folders.flatMap((folder) => filesIn(folder).map((path) => join(folder, path)));
  for (const path of [...sources, ...files].sort()) {
    const content = readFileSync(join(project, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}

/**
 * @param {string} folder
 * @returns {string[]} paths relative to it
 */
function filesIn(folder) {
  const root = join(project, folder);
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

/** As the demo has it: the tests bring another one. @returns {string | null} */
function findVite() {
  try {
    const manifest = createRequire(join(project, 'web', 'package.json')).resolve('vite/package.json');
    return join(dirname(manifest), 'bin', 'vite.js');
  } catch {
    return null;
  }
}
