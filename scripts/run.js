import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.js';

/**
 * Runs a compiled module in this very process, so that signals reach it, building it first if need be.
 *
 * @param {string} entry path of the module relative to the build's directory
 */
export async function run(entry) {
  process.setSourceMapsEnabled?.(true);
  const directory = await build();
  await import(pathToFileURL(join(directory, entry)).href);
}
