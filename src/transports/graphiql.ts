import { type ExampleSubject, examplesFor } from './examples.ts';
import { contentPolicy, hashOf, type Page } from './headers.ts';
import { isLocal } from './origin.ts';

/**
 * GraphiQL, whole in one page: it loads nothing. With a token it starts signed in, but only for who asks for it by
 * a name of this machine: a page elsewhere may have its own name point here, and would read the token (DNS rebinding).
 */
export function createGraphiql({ token, subject }: GraphiqlParts) {
  const pages = new Map<string | null, Promise<Page>>();
  return (host: string | undefined): Promise<Page> => {
    const shown = isLocal(host) ? token : null;
    const page = pages.get(shown) ?? render(shown, subject);
    pages.set(shown, page);
    return page;
  };
}

async function render(token: string | null, subject: ExampleSubject): Promise<Page> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL(options(token, subject));
  const script = html.slice(html.indexOf('<script>') + '<script>'.length, html.lastIndexOf('</script>'));
  const policy = contentPolicy({
    'script-src': [hashOf(script)],
    // The editor makes its styles while it runs, and its workers and their fonts of texts in the page.
    'style-src': ["'unsafe-inline'"],
    'worker-src': ['blob:'],
    'font-src': ['data:'],
    'img-src': ['data:'],
    'connect-src': ["'self'"],
  });
  return { html, policy };
}

/** Over WebSocket GraphiQL does not send its headers, so the token goes with it; without one SSE is used. */
function options(token: string | null, subject: ExampleSubject) {
  const authorization = `Bearer ${token}`;
  const signedIn = { headers: JSON.stringify({ authorization }, null, 2) };
  const examples = examplesFor(subject);
  return {
    title: 'Gravitycar Realtime',
    defaultQuery: examples[0]!,
    defaultTabs: examples.map((query) => ({ query, ...(token ? signedIn : {}) })),
    ...(token
      ? {
          ...signedIn,
          // A tab that is opened by hand.
          defaultHeaders: signedIn.headers,
          subscriptionsProtocol: 'WS' as const,
          connectionParams: { authorization },
        }
      : { subscriptionsProtocol: 'GRAPHQL_SSE' as const }),
  };
}

interface GraphiqlParts {
  /** Null: nobody is signed in. */
  readonly token: string | null;
  readonly subject: ExampleSubject;
}
