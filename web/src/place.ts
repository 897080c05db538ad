/** What the address says is looked at. */
export interface Place {
  readonly page: 'pair' | 'desk' | 'sign-in' | 'inspector';
  /** Ids of people; null where nobody is named. */
  readonly as: string | null;
  readonly left: string | null;
  readonly right: string | null;
}

/** Who comes for the first time sees two people side by side. */
export function readPlace(): Place {
  const { pathname, search } = location;
  const query = new URLSearchParams(search);
  const as = query.get('as');
  const people = { as, left: query.get('left'), right: query.get('right') };
  if (pathname === '/inspector') return { page: 'inspector', ...people };
  const view = query.get('view');
  if (view === 'sign-in') return { page: 'sign-in', ...people };
  return { page: as && view !== 'pair' ? 'desk' : 'pair', ...people };
}

export function hrefOf({ page, as, left, right }: Place): string {
  if (page === 'inspector') return '/inspector';
  if (page === 'sign-in') return '/?view=sign-in';
  if (page === 'desk') return `/?as=${encodeURIComponent(as ?? 'me')}`;
  const query = new URLSearchParams({ view: 'pair', ...(left ? { left } : {}), ...(right ? { right } : {}) });
  return `/?${query}`;
}
