/** When a JWT expires, in milliseconds since 1970; null where it does not say. */
export function expiryOf(token: string | null): number | null {
  const exp = claimsOf(token)?.exp;
  return typeof exp === 'number' ? exp * 1_000 : null;
}

/** What a JWT says; null of what is none. */
export function claimsOf(token: string | null): Record<string, unknown> | null {
  try {
    const body = token!.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(atob(body));
  } catch {
    return null;
  }
}
