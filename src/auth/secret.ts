import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { realtimeSettings } from '../db/tables.ts';

const settingKey = 'jwt_secret';
const generate = () => randomBytes(32).toString('base64url');

/** The secret that development generates once, kept in the database so that its nodes agree. */
export async function secretInDatabase({ orm }: Database): Promise<string> {
  await orm.insert(realtimeSettings).values({ key: settingKey, value: generate() }).onConflictDoNothing();
  const [row] = await orm.select().from(realtimeSettings).where(eq(realtimeSettings.key, settingKey));
  return row!.value;
}

/**
 * The same for an embedded database: in a file beside it, since a second process, one that prints a token,
 * cannot open the database while the server has it.
 */
export async function secretInDirectory(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, 'jwt-secret');
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(generate());
    await file.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return whole(path);
}

/** Whoever else creates the file may not have written it yet. */
async function whole(path: string): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const secret = await readFile(path, 'utf8');
    if (secret.length >= 43) return secret;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${path} holds no secret: delete it, and a new one is made.`);
}
