import { contentPolicy, hashOf, type Page } from './headers.ts';

/** What a browser sees at `/`. */
export function welcomePage({ graphiql }: { graphiql: boolean }): Page {
  const link = graphiql
    ? '<p><a href="/graphql">Open GraphiQL</a>: run a subscription in one tab, mutations in another.</p>'
    : '';
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Gravitycar Realtime</title>
<style>${style}</style>
<h1>Gravitycar Realtime</h1>
<p>The server is running. Notifications, channels and events as one typed GraphQL API that neither loses nor repeats an event.</p>
${link}
<table>
  <tr><td><code>POST /graphql</code></td><td>queries and mutations</td></tr>
  <tr><td><code>WS /graphql</code></td><td>everything, over <code>graphql-transport-ws</code></td></tr>
  <tr><td><code>/graphql</code></td><td>with <code>Accept: text/event-stream</code>: subscriptions over SSE</td></tr>
  <tr><td><code>GET /ready</code></td><td>is this node fit to serve</td></tr>
  <tr><td><code>GET /metrics</code></td><td>for Prometheus</td></tr>
</table>
</html>
`;
  return { html, policy: contentPolicy({ 'style-src': [hashOf(style)], 'img-src': ['data:'] }) };
}

const style = `
  :root { color-scheme: light dark; }
  body { font: 16px/1.6 system-ui, sans-serif; max-width: 40rem; margin: 12vh auto; padding: 0 1.5rem; }
  code { font-size: .95em; }
  table { border-collapse: collapse; width: 100%; }
  td { padding: .4rem 1rem .4rem 0; border-top: 1px solid #8884; vertical-align: top; }
`;
