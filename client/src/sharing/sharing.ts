import type { OpenLink } from '../attempt.ts';
import { claimsOf } from '../claims.ts';
import { Member } from './member.ts';
import { version } from './messages.ts';
import type { RelayPatience } from './relay.ts';

export interface SharingOptions {
  /** A connection of this tab's own. */
  readonly openLink: OpenLink;
  /** What else has to be the same for tabs to share. */
  readonly terms: readonly string[];
  readonly patience: RelayPatience;
}

/** Opens links that tabs of one origin and one user have in common. */
export function sharing({ openLink, terms, patience }: SharingOptions): OpenLink {
  let members: Member[] = [];
  return async (transport, token, events) => {
    const circle = circleOf(terms, token);
    if (circle === null) return openLink(transport, token, events);
    members = members.filter(({ isOver }) => !isOver);
    const [open] = members;
    // Beside one that is open it is a WebSocket that is tried, which is for the leader to do.
    if (open && !open.lock) throw new Error('another tab has the connection');
    const member = new Member({
      circle,
      transport,
      events,
      patience,
      openReal: (inner) => openLink(transport, token, inner),
      ...(open?.lock ? { lock: open.lock.join() } : {}),
    });
    members.push(member);
    return member;
  };
}

/** Null where nothing can be shared, or where nobody says whose it would be. */
function circleOf(terms: readonly string[], token: string | null): string | null {
  const canShare = Boolean(globalThis.navigator?.locks) && typeof BroadcastChannel !== 'undefined';
  const { iss = null, sub, roles = [] } = claimsOf(token) ?? {};
  if (!canShare || typeof sub !== 'string') return null;
  const held = Array.isArray(roles) ? [...roles].sort() : roles;
  return `gravitycar-realtime ${JSON.stringify([version, ...terms, iss, sub, held])}`;
}
