import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';

/** The server that `npm run dev` of this folder talks to. */
const server = 'http://localhost:4000';

export default defineConfig({
  plugins: [react()],
  // The client package as it stands in this repository, not as it was built last.
  resolve: { conditions: ['source', ...defaultClientConditions], dedupe: ['react', 'graphql'] },
  build: {
    target: 'es2022',
    emptyOutDir: true,
    // Nothing stands in the page: its policy allows files of this server alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      // As the browser asks: the server compares its name with the page's.
      '/graphql': { target: server, changeOrigin: false, ws: true },
      '/demo/': { target: server, changeOrigin: false },
      '/metrics': { target: server, changeOrigin: false },
    },
  },
});
