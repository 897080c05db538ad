import { build } from './build.js';
import { run } from './run.js';
import { buildSite } from './site.js';

// Whoever has files of their own, or wants none, is not made to wait for ours.
if (!process.env.DEMO_FILES && process.env.DEMO !== '0') {
  const [site] = await Promise.all([buildSite().catch(giveUp), build()]);
  if (site) process.env.DEMO_FILES = site;
}
await run('main.js');

/**
 * The server is of use without its demo.
 *
 * @param {unknown} error
 */
function giveUp(error) {
  process.stderr.write(`the demo could not be built, so / says only that the server runs: ${error}\n`);
  return null;
}
