/** Somebody whom this page may sign in as. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly job: string;
  readonly roles: readonly string[];
}

/** Those whom the server offers: nobody in production. */
export async function fetchPeople(): Promise<readonly Person[]> {
  const response = await fetch('/demo/people');
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  const { people } = (await response.json()) as { people: Person[] };
  return people;
}

/** What is asked for in one moment shares a token. Not for longer: a server that starts anew may not know it. */
const sharedMs = 5_000;

/** Tokens of one person. `send`: over which wire they are asked for. */
export function tokensOf(userId: string, send: typeof fetch): () => Promise<string> {
  let known: { readonly token: Promise<string>; readonly askedAt: number } | null = null;
  return () => {
    if (known && performance.now() - known.askedAt < sharedMs) return known.token;
    const asked = { token: ask(), askedAt: performance.now() };
    known = asked;
    asked.token.catch(() => {
      if (known === asked) known = null;
    });
    return asked.token;
  };

  async function ask(): Promise<string> {
    const response = await send('/demo/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ userId }),
    });
    if (!response.ok) throw new Error(`Signing in was answered with ${response.status}.`);
    return ((await response.json()) as { token: string }).token;
  }
}

/** Who a token of one's own says that one is. Nothing is checked here: that is for the server. */
export function personOfToken(token: string): Person | null {
  try {
    const [, claims = ''] = token.split('.');
    const bytes = Uint8Array.from(atob(claims.replaceAll('-', '+').replaceAll('_', '/')), (char) =>
      char.charCodeAt(0),
    );
    const { sub, name, roles } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    if (typeof sub !== 'string') return null;
    return {
      id: sub,
      name: typeof name === 'string' ? name : sub,
      job: 'Signed in with a token',
      roles: Array.isArray(roles) ? roles.map(String) : [],
    };
  } catch {
    return null;
  }
}
