import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import { HttpRefusal } from './body.ts';
import { contentPolicy } from './headers.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};
const compressed = new Set(['.html', '.js', '.css', '.svg', '.txt']);

/** Scripts, styles and connections of this server alone, and nothing that stands in the page. */
const policy = contentPolicy({
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'font-src': ["'self'"],
  'connect-src': ["'self'"],
  'manifest-src': ["'self'"],
});

/** Paths of the application that are no files: it reads them itself. */
const pages = new Set(['/', '/inspector']);

export type Site = ReturnType<typeof createSite>;

/**
 * The demo application, as it was built. Every file is read when the server starts, so that a path can name nothing
 * but one of them. What is beneath `assets/` has its hash in its name and may be kept for good.
 * @throws Error when the directory cannot be read or has no `index.html`
 */
export function createSite(directory: string) {
  const files = new Map(filesOf(directory).map((file) => [file.path, file]));
  const index = files.get('/index.html');
  if (!index) throw new Error(`DEMO_FILES: there is no index.html in ${directory}`);

  return {
    has: (pathname: string): boolean => pages.has(pathname) || files.has(pathname),

    /** For a path that is there. */
    respond(request: IncomingMessage, response: ServerResponse, { pathname }: URL): void {
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      if (!isRead) {
        response.setHeader('allow', 'GET, HEAD, OPTIONS');
        throw new HttpRefusal(405, 'BAD_USER_INPUT', 'The methods here are GET, HEAD, OPTIONS.');
      }
      const file = pages.has(pathname) ? index : files.get(pathname)!;
      if (file === index) response.setHeader('content-security-policy', policy);
      response.setHeader('cache-control', file.isKept ? 'public, max-age=31536000, immutable' : 'no-cache');
      response.setHeader('etag', file.tag);
      if (request.headers['if-none-match'] === file.tag) {
        response.writeHead(304);
        return void response.end();
      }
      response.setHeader('content-type', file.type);
      if (file.gzipped) response.appendHeader('vary', 'Accept-Encoding');
      const isGzipped = file.gzipped && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
      const body = isGzipped ? file.gzipped! : file.body;
      if (isGzipped) response.setHeader('content-encoding', 'gzip');
      response.writeHead(200, { 'content-length': body.length });
      response.end(request.method === 'HEAD' ? undefined : body);
    },
  };
}

function filesOf(directory: string): File[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && Object.hasOwn(types, extname(entry.name)))
    .map((entry) => {
      const location = join(entry.parentPath, entry.name);
      const body = readFileSync(location);
      const path = location.slice(join(directory, '.').length).replaceAll(sep, '/');
      const kind = extname(entry.name);
      return {
        ...{ path: path.startsWith('/') ? path : `/${path}`, body, type: types[kind]! },
        gzipped: compressed.has(kind) ? gzipSync(body) : null,
        tag: `"${hash('sha256', body, 'base64url')}"`,
        isKept: path.startsWith('/assets/'),
      };
    });
}

interface File {
  /** As it stands in an address. */
  readonly path: string;
  readonly body: Buffer;
  readonly type: string;
  readonly gzipped: Buffer | null;
  readonly tag: string;
  readonly isKept: boolean;
}
