/** Where the server is. The page asks its own origin, and Vite passes it on: no CORS is needed. */
const target = process.env.REALTIME_URL ?? 'http://localhost:4000';

export default {
  server: { proxy: { '/graphql': { target, ws: true } } },
  // One of each, also where a package brings its own.
  resolve: { dedupe: ['graphql', 'wonka'] },
};
