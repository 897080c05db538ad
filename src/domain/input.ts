import { badInput, tooLarge } from '../errors.ts';

/** Any JSON value but null, which stands for nothing. */
export type Json = NonNullable<unknown>;

const longestUserId = 128;
const deepestJson = 32;
/** Of one JSON value, as text. */
export const largestJsonBytes = 65_536;

/** @throws BAD_USER_INPUT, LIMIT_EXCEEDED past `most` characters. */
export function demandText(name: string, text: string, most: number): void {
  if (text.trim() === '') throw badInput(`\`${name}\` is empty.`);
  demandLength(name, text, most);
}

/** @throws LIMIT_EXCEEDED past `most` characters, BAD_USER_INPUT for what no database text can hold. */
export function demandLength(name: string, text: string, most: number): void {
  if (text.length > most && [...text].length > most)
    throw tooLarge(`\`${name}\` is longer than ${most} characters.`);
  demandCharacters(name, text);
}

const mostKinds = 100;

/** Types or categories to choose by: each event is compared with them. @throws LIMIT_EXCEEDED */
export function demandFew(name: string, kinds: readonly string[] | null | undefined): void {
  if (kinds && kinds.length > mostKinds) throw tooLarge(`\`${name}\` are at most ${mostKinds}.`);
}

/** What PostgreSQL can hold as text and Unicode knows: whatever else is looked for is not there. */
export function isText(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

export function isUserId(id: string): boolean {
  return id.length >= 1 && [...id].length <= longestUserId && isText(id) && !/\p{Cc}/u.test(id);
}

/** @throws BAD_USER_INPUT */
export function demandUserId(id: string): void {
  if (!isUserId(id))
    throw badInput(`A user's id has 1 to ${longestUserId} characters and no control characters.`);
}

/** @throws LIMIT_EXCEEDED, BAD_USER_INPUT */
export function demandJson(name: string, value: unknown): void {
  if (value === undefined || value === null) return;
  demandParts(name, value, 0);
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > largestJsonBytes) throw tooLarge(`\`${name}\` is larger than ${largestJsonBytes} bytes.`);
}

function demandParts(name: string, value: unknown, depth: number): void {
  if (depth > deepestJson) throw tooLarge(`\`${name}\` is nested deeper than ${deepestJson}.`);
  if (typeof value === 'string') demandCharacters(name, value);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    demandCharacters(name, key);
    demandParts(name, part, depth + 1);
  }
}

/** What PostgreSQL cannot hold, and what is not Unicode. */
function demandCharacters(name: string, text: string): void {
  if (!isText(text)) throw badInput(`\`${name}\` has characters that are none.`);
}
