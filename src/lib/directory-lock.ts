import { createHash, randomBytes } from 'node:crypto';
import {
  access,
  mkdir,
  mkdtemp,
  readdir,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  unlink,
} from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** A held lock; nobody else can lock the directory until it is released or the process ends. */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** Thrown when a live holder, in this process or another, has the directory. */
export class DirectoryLockedError extends Error {
  constructor(directory: string) {
    super(`"${directory}" is in use by another process; give this one its own DATA_DIR`);
    this.name = 'DirectoryLockedError';
  }
}

/**
 * Locks a directory, creating it when missing, for as long as this process lives or until `release()`.
 *
 * The lock is a listening socket inside the directory, because the kernel ends it with the process however
 * that dies, and it means the same in every container that shares the volume, where process ids repeat.
 *
 * On disk it is `lock/<random name>`. A starter makes its own `lock.<random name>/` with its socket in it and
 * renames that to `lock`, which the file system permits only while `lock` is missing or empty. A dead
 * holder's socket is deleted by its random name, so a slow starter can never delete the lock of the one that
 * has meanwhile taken over, as it could if every holder's socket had the same name.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const name = resolve(directory);
  await mkdir(name, { recursive: true, mode: 0o700 });
  const path = await realpath(name);
  const lock = process.platform === 'win32' ? await listenOnPipe(path) : await takeLock(path);
  if (!lock) throw new DirectoryLockedError(name);
  return lock;
}

const lockName = 'lock';
const candidatePrefix = `${lockName}.`;

/** What remains of starters that died half way is only deleted when no slow starter can still need it. */
const abandonedAfterMilliseconds = 60_000;

/** `sun_path` holds 108 bytes on Linux and 104 on macOS, with the terminating zero. */
const longestSocketPath = 103;

async function takeLock(directory: string): Promise<DirectoryLock | undefined> {
  const place = join(directory, lockName);
  const candidate = await openCandidate(directory);
  try {
    if (!(await moveIntoPlace(candidate, place))) {
      await discardCandidate(candidate);
      return undefined;
    }
  } catch (error) {
    await discardCandidate(candidate);
    throw error;
  }
  // Nobody depends on the leftovers, so a failure to delete them must not fail the start.
  await removeAbandonedCandidates(directory).catch(() => {});
  let released: Promise<void> | undefined;
  return {
    release() {
      released ??= release(candidate, place);
      return released;
    },
  };
}

interface Candidate {
  id: string;
  home: string;
  server: Server;
}

async function openCandidate(directory: string): Promise<Candidate> {
  const id = randomBytes(8).toString('hex');
  const home = join(directory, candidatePrefix + id);
  await mkdir(home, { mode: 0o700 });
  try {
    return { id, home, server: await withShortPath(home, id, listen) };
  } catch (error) {
    await rm(home, { recursive: true, force: true }).catch(() => {});
    if (!hasCode(error, 'EOPNOTSUPP', 'ENOTSUP', 'EPERM', 'ENOSYS')) throw error;
    throw new Error(
      `The file system of "${directory}" cannot hold sockets, which keep two processes from using the ` +
        'directory at once; set DATA_DIR to a directory on a local disk',
      { cause: error },
    );
  }
}

/** Lends a path to a socket that the kernel accepts, through a temporary symbolic link if it is too long. */
async function withShortPath<T>(
  directory: string,
  name: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(directory, name);
  if (Buffer.byteLength(path) <= longestSocketPath) return use(path);
  const shortcut = await mkdtemp(join(tmpdir(), 'lock-'));
  try {
    await symlink(directory, join(shortcut, 'd'));
    const shortPath = join(shortcut, 'd', name);
    // Node would cut the path off silently and listen somewhere else.
    if (Buffer.byteLength(shortPath) > longestSocketPath) {
      throw new Error(`The directory for temporary files, "${tmpdir()}", has too long a name for sockets`);
    }
    return await use(shortPath);
  } finally {
    await rm(shortcut, { recursive: true, force: true });
  }
}

function listen(path: string): Promise<Server> {
  return new Promise((fulfil, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    // Exclusive, or the primary of a cluster would hold the socket in this process's place.
    server.listen({ path, exclusive: true }, () => {
      server.off('error', reject);
      // The lock holds while the socket listens; a connection that could not be accepted changes nothing.
      server.on('error', () => {});
      server.unref();
      fulfil(server);
    });
  });
}

/** Tells whether the lock is now the candidate's; a dead holder's is cleared away, a live one's stays. */
async function moveIntoPlace(candidate: Candidate, place: string): Promise<boolean> {
  while (!(await renameUnlessTaken(candidate.home, place))) {
    if (!(await removeDeadSockets(place))) return false;
  }
  // Fails if someone took this candidate for an abandoned one, which leaves `lock` empty and free to others.
  await access(join(place, candidate.id));
  return true;
}

async function renameUnlessTaken(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) return false;
    throw error;
  }
}

/** Deletes the sockets nobody listens on and tells whether that leaves the directory empty. */
async function removeDeadSockets(directory: string): Promise<boolean> {
  let empty = true;
  for (const name of await readdirIfExists(directory)) {
    if (await withShortPath(directory, name, isListening)) empty = false;
    else await unlinkIfExists(join(directory, name));
  }
  return empty;
}

/** Also true of a suspended process, because the kernel accepts on its behalf. */
function isListening(path: string): Promise<boolean> {
  return new Promise((fulfil, reject) => {
    const socket = createConnection({ path }, () => {
      socket.destroy();
      fulfil(true);
    });
    socket.once('error', (error) => {
      // A suspended process's queue of connections may be full.
      if (hasCode(error, 'EAGAIN')) fulfil(true);
      // The holder went away with the connection in its queue, so the next one finds it gone.
      else if (hasCode(error, 'ECONNRESET')) fulfil(isListening(path));
      else if (hasCode(error, 'ECONNREFUSED', 'ENOENT', 'ENOTSOCK')) fulfil(false);
      else reject(error);
    });
  });
}

async function discardCandidate(candidate: Candidate): Promise<void> {
  await close(candidate.server);
  await rm(candidate.home, { recursive: true, force: true });
}

async function removeAbandonedCandidates(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(candidatePrefix)) continue;
    const path = join(directory, name);
    const age = Date.now() - (await stat(path)).mtimeMs;
    if (age > abandonedAfterMilliseconds && (await removeDeadSockets(path))) await rmdir(path);
  }
}

async function release(candidate: Candidate, place: string): Promise<void> {
  await close(candidate.server);
  await unlinkIfExists(join(place, candidate.id));
  // Someone else may have taken the lock since; it is theirs now, and not empty.
  await rmdir(place).catch(() => {});
}

/** On Windows a pipe's name is free again once its owner is gone, so there is nothing to clean up. */
async function listenOnPipe(directory: string): Promise<DirectoryLock | undefined> {
  const name = createHash('sha256').update(directory.toLowerCase()).digest('hex');
  try {
    const server = await listen(`\\\\.\\pipe\\directory-lock-${name}`);
    return { release: () => close(server) };
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE', 'EACCES')) return undefined;
    throw error;
  }
}

function close(server: Server): Promise<void> {
  return new Promise((fulfil) => {
    // An error would say that it is closed already.
    server.close(() => fulfil());
  });
}

async function readdirIfExists(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

async function unlinkIfExists(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
