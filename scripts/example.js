import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const project = fileURLToPath(new URL('..', import.meta.url));

// Serves an example at a free port near Vite's usual one, with the client package as it stands in this repository.
const [name = ''] = process.argv.slice(2);
const root = join(project, 'examples', name);
if (!/^\w+$/.test(name) || !existsSync(join(root, 'index.html'))) {
  process.stderr.write('usage: npm run example -- apollo\n       npm run example -- urql\n');
  process.exit(1);
}
const vite = createRequire(join(project, 'web', 'package.json')).resolve('vite');
const { createServer, defaultClientConditions } = await import(pathToFileURL(vite).href);
const server = await createServer({
  root,
  resolve: { conditions: ['source', ...defaultClientConditions] },
});
await server.listen();
server.printUrls();
