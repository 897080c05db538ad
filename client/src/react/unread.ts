/**
 * Which notifications are unread. With up to a page of them they are known one by one, and what the stream tells is
 * counted once however often it comes. With more, only how many there are is known, and that has to be asked again
 * when something changes.
 */
export interface Unread {
  /** Id to when it expires, in milliseconds since 1970; null where it does not. */
  readonly ids: ReadonlyMap<string, number | null>;
  /** How many there are beside `ids`, as of the last counting. */
  readonly others: number;
  /** Something has changed since the counting that only another one can tell. */
  readonly isStale: boolean;
}

export interface UnreadPage {
  readonly totalCount: number;
  readonly ids: ReadonlyMap<string, number | null>;
}

/** What the stream has said of a notification: unread, or not, or not there any more. */
export interface UnreadChange {
  readonly id: string;
  readonly isUnread: boolean;
  readonly expiresAt: number | null;
}

export const noneUnread: Unread = { ids: new Map(), others: 0, isStale: false };

/** As counted, with what has been told since the counting was asked for: it may be older or newer than that. */
export function counted({ totalCount, ids }: UnreadPage, since: readonly UnreadChange[]): Unread {
  const others = Math.max(totalCount - ids.size, 0);
  return since.reduce(withUnreadChange, { ids, others, isStale: false });
}

export function withUnreadChange(unread: Unread, { id, isUnread, expiresAt }: UnreadChange): Unread {
  if (unread.ids.has(id) && !isUnread) {
    const ids = new Map(unread.ids);
    ids.delete(id);
    return { ...unread, ids };
  }
  // Whether one that is not known by name has been counted among the others cannot be said.
  if (unread.others > 0) return unread.ids.has(id) ? unread : { ...unread, isStale: true };
  return isUnread ? { ...unread, ids: new Map(unread.ids).set(id, expiresAt) } : unread;
}

/**
 * How many are unread at a time, by what the viewer has just marked: id to read or not. Those that have expired are
 * neither listed nor counted.
 */
export function countOf({ ids, others }: Unread, marked: ReadonlyMap<string, boolean>, now: number): number {
  let count = others;
  for (const [id, expiresAt] of ids)
    if (!marked.get(id) && (expiresAt === null || expiresAt > now)) count += 1;
  for (const [id, isRead] of marked) if (!isRead && !ids.has(id)) count += 1;
  return Math.max(count, 0);
}
