import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from './build.js';
import { buildSite } from './site.js';

/**
 * Compiles the server into the directory that is named, to be run without its sources: `node <directory>/main.js`.
 * The demo application is in `site/` beneath it, for `DEMO_FILES`.
 */
const [target] = process.argv.slice(2);
if (!target) {
  console.error('usage: node scripts/bundle.js <directory>');
  process.exit(1);
}
const [server, site] = await Promise.all([build(), buildSite()]);
if (!site) throw new Error('The demo cannot be built: Vite is not installed.');
await cp(server, target, { recursive: true });
await cp(site, join(target, 'site'), { recursive: true });
