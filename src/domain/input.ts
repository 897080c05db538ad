import { badInput, tooLarge } from '../errors.ts';

/** Any JSON value but null, which stands for nothing. */
export type Json = NonNullable<unknown>;

const longestUserId = 128;
const deepestJson = 32;
/** Of one JSON value, as text. */
export const largestJsonBytes = 65_536;

/** @throws BAD_USER_INPUT, LIMIT_EXCEEDED past `most` characters. */
export function demandText(name: string, text: string, most: number): void {
  demandLength(name, text, most);
  if (text.trim() === '') throw badInput(`\`${name}\` is empty.`);
}

/** @throws LIMIT_EXCEEDED past `most` characters, BAD_USER_INPUT for what no database text can hold. */
export function demandLength(name: string, text: string, most: number): void {
  if (isLonger(text, most)) throw tooLarge(`\`${name}\` is longer than ${most} characters.`);
  demandCharacters(name, text);
}

/** Counts the characters only where it has to: each is one or two units of the text. */
const isLonger = (text: string, most: number) =>
  text.length > most && (text.length > 2 * most || [...text].length > most);

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
  return id !== '' && !isLonger(id, longestUserId) && isText(id) && !/\p{Cc}/u.test(id);
}

/** @throws BAD_USER_INPUT */
export function demandUserId(id: string): void {
  if (!isUserId(id))
    throw badInput(`A user's id has 1 to ${longestUserId} characters and no control characters.`);
}

/** @throws LIMIT_EXCEEDED, BAD_USER_INPUT */
export function demandJson(name: string, value: unknown): void {
  if (value === undefined || value === null) return;
  demandParts(name, value, 0, largestJsonBytes);
  if (Buffer.byteLength(JSON.stringify(value)) > largestJsonBytes) throw tooLargeJson(name);
}

/**
 * Looks no further than a value may be large, and answers how much room is left: a variable that a literal has in a
 * thousand places is a value a thousand times as large as what was sent.
 */
function demandParts(name: string, value: unknown, depth: number, room: number): number {
  if (depth > deepestJson) throw tooLarge(`\`${name}\` is nested deeper than ${deepestJson}.`);
  if (room < 1) throw tooLargeJson(name);
  if (typeof value === 'string') return demandQuoted(name, value, room);
  if (typeof value !== 'object' || value === null) return room - 1;
  let left = room - 1;
  if (Array.isArray(value)) for (const part of value) left = demandParts(name, part, depth + 1, left);
  else {
    for (const key of Object.keys(value)) {
      left = demandQuoted(name, key, left);
      left = demandParts(name, (value as Record<string, unknown>)[key], depth + 1, left);
    }
  }
  return left;
}

function demandQuoted(name: string, text: string, room: number): number {
  const left = room - text.length - '""'.length;
  if (left < 0) throw tooLargeJson(name);
  demandCharacters(name, text);
  return left;
}

const tooLargeJson = (name: string) => tooLarge(`\`${name}\` is larger than ${largestJsonBytes} bytes.`);

/** What PostgreSQL cannot hold, and what is not Unicode. */
function demandCharacters(name: string, text: string): void {
  if (!isText(text)) throw badInput(`\`${name}\` has characters that are none.`);
}
