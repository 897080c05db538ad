import { cp } from 'node:fs/promises';
import { build } from './build.js';

/** Compiles the server into the directory that is named, to be run without its sources: `node <directory>/main.js`. */
const [target] = process.argv.slice(2);
if (!target) {
  console.error('usage: node scripts/bundle.js <directory>');
  process.exit(1);
}
await cp(await build(), target, { recursive: true });
