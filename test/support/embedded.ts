import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { MemoryFS, PGlite } from '@electric-sql/pglite';
import type { Database } from '../../src/db/database.ts';
import { overPglite, parsers } from '../../src/db/embedded.ts';
import { prepare } from '../../src/open.ts';

const dataFolder = '/pglite/data';
/** A database of a test fits into little memory, and all of it is filled with zeros at the start. */
const startParams = [...PGlite.defaultStartParams, '-c', 'shared_buffers=8MB'];

/** An embedded database of its own. To make a new one takes seconds of a core, so it begins with a copy of one. */
export async function freshEmbedded(): Promise<Database> {
  made ??= make();
  const { files, pgliteWasmModule } = await made;
  return overPglite(await PGlite.create({ fs: new CopyOf(files), pgliteWasmModule, parsers, startParams }));
}

/** What is in a folder, what a folder holds behind itself. A folder has no content. */
type Files = readonly { path: string; mode: number; content: Uint8Array | null }[];

/** Begins with some files. To read them from a dump instead would take four times as long. */
class CopyOf extends MemoryFS {
  readonly #files: Files;

  constructor(files: Files) {
    super();
    this.#files = files;
  }

  override async initialSyncFs(): Promise<void> {
    const { FS } = this.pg!.Module;
    for (const { path, mode, content } of this.#files) {
      if (content) FS.writeFile(path, content);
      else FS.mkdir(path);
      FS.chmod(path, mode);
    }
  }
}

/** Made once in a process, and compiled once: what has been optimised for one serves the others. */
let made: Promise<{ files: Files; pgliteWasmModule: WebAssembly.Module }> | undefined;

async function make() {
  const program = fileURLToPath(new URL('pglite.wasm', import.meta.resolve('@electric-sql/pglite')));
  const pgliteWasmModule = await WebAssembly.compile(await readFile(program));
  const pglite = await PGlite.create({ pgliteWasmModule, parsers });
  await prepare(await overPglite(pglite));
  // All of it is in the files now, and nothing is left to be recovered from.
  await pglite.exec('checkpoint');
  const files = filesOf(pglite, dataFolder);
  await pglite.close();
  return { files, pgliteWasmModule };
}

function filesOf(pglite: PGlite, path: string): Files {
  const { FS } = pglite.Module;
  const { mode } = FS.stat(path);
  if (!FS.isDir(mode)) return [{ path, mode, content: FS.readFile(path) }];
  const names = (FS.readdir(path) as string[]).filter((name) => name !== '.' && name !== '..');
  return [{ path, mode, content: null }, ...names.flatMap((name) => filesOf(pglite, `${path}/${name}`))];
}
