import { PGlite } from '@electric-sql/pglite';
import type { Database } from '../../src/db/database.ts';
import { overPglite, parsers } from '../../src/db/embedded.ts';
import { prepare } from '../../src/open.ts';

/** An embedded database of its own. To make a new one takes seconds of a core, so it begins with a copy of one. */
export async function freshEmbedded(): Promise<Database> {
  made ??= makeDump();
  return overPglite(await PGlite.create({ loadDataDir: await made, parsers }));
}

/** Made once in a process, and not written to a file. */
let made: Promise<Blob> | undefined;

async function makeDump(): Promise<Blob> {
  const pglite = await PGlite.create({ parsers });
  await prepare(await overPglite(pglite));
  const dump = await pglite.dumpDataDir('none');
  await pglite.close();
  return dump;
}
