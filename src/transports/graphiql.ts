import { contentPolicy, hashOf, type Page } from './headers.ts';
import { isLocal } from './origin.ts';

/**
 * GraphiQL, whole in one page: it loads nothing. With a token it starts signed in, but only for who asks for it by
 * a name of this machine: a page elsewhere may have its own name point here, and would read the token (DNS rebinding).
 */
export function createGraphiql({ token }: { readonly token: string | null }) {
  const pages = new Map<string | null, Promise<Page>>();
  return (host: string | undefined): Promise<Page> => {
    const shown = isLocal(host) ? token : null;
    const page = pages.get(shown) ?? render(shown);
    pages.set(shown, page);
    return page;
  };
}

async function render(token: string | null): Promise<Page> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL(options(token));
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
function options(token: string | null) {
  const authorization = `Bearer ${token}`;
  return {
    title: 'Gravitycar Realtime',
    defaultQuery: welcome,
    ...(token
      ? {
          subscriptionsProtocol: 'WS' as const,
          headers: JSON.stringify({ authorization }, null, 2),
          connectionParams: { authorization },
        }
      : { subscriptionsProtocol: 'GRAPHQL_SSE' as const }),
  };
}

const welcome = `# Run the subscription in one tab and the mutations in another.

subscription Listen {
  channelMessage(channel: "general") {
    id
    body
    sender { name }
  }
}

mutation Create {
  createChannel(input: { name: "general" }) { name }
}

mutation Send {
  sendMessage(input: { channel: "general", body: "Hello" }) { id }
}
`;
