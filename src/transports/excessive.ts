import { tooLarge } from '../errors.ts';
import { isExcessive } from '../lib/json-shape.ts';
import { type Present, toJson } from './operation.ts';

export const excessive = () => tooLarge('That is too much to read: nested too deeply, or too many values.');

/**
 * What is said to a message of a socket that is not read at all; null for one that is. An operation is refused by its
 * id, which clients write first; what has none there ends the socket, like what the protocol does not know.
 */
export function answerToExcess(json: Buffer, present: Present): { error: string } | 'close' | null {
  if (!isExcessive(json)) return null;
  const [, id] = /^\s*\{\s*"id"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(json.toString('utf8', 0, farthestId)) ?? [];
  if (id === undefined) return 'close';
  const payload = JSON.stringify(toJson({ errors: [present(excessive())] }).errors);
  return { error: `{"id":${id},"type":"error","payload":${payload}}` };
}

const farthestId = 1_000;
