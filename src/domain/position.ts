import { badInput, positionExpired } from '../errors.ts';
import type { Positions } from '../realtime/position.ts';

/** Where a subscription continues, said in up to three places; null: from now on. */
export type Resume = readonly (string | null | undefined)[];

/**
 * The furthest of the positions wins: stock clients repeat old variables when they reconnect.
 * @throws BAD_USER_INPUT for what is none, POSITION_EXPIRED when there are only positions of other databases.
 */
export function furthest(positions: Positions, resume: Resume): number | null {
  const opened = resume.filter((text) => text != null).map((text) => positions.open(text));
  if (opened.length === 0) return null;
  if (opened.includes('malformed')) throw badInput('That is not a position.');
  const places = opened.flatMap((place) => (typeof place === 'object' ? [place.position] : []));
  if (places.length === 0) throw positionExpired();
  return Math.max(...places);
}
