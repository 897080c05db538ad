import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSite } from '../../src/transports/site.ts';
import { type TestServer, testServer } from '../support/server.ts';

const page = '<!doctype html><title>demo</title>';
const script = `console.log('${'x'.repeat(2_000)}')`;

describe('the demo application at /', () => {
  let folder: string;
  let server: TestServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realtime-site-'));
    await mkdir(join(folder, 'site', 'assets'), { recursive: true });
    await writeFile(join(folder, 'secret.txt'), 'secret');
    await writeFile(join(folder, 'site', 'index.html'), page);
    await writeFile(join(folder, 'site', 'assets', 'index-abc.js'), script);
    await writeFile(join(folder, 'site', 'assets', 'index-abc.css'), 'body {}');
    await writeFile(join(folder, 'site', 'icon.svg'), '<svg/>');
    await writeFile(join(folder, 'site', 'notes.sqlite'), 'not for anybody');
    const files = { DEMO: '1', DEMO_FILES: join(folder, 'site'), NODE_ENV: 'production' };
    server = await testServer('embedded', files);
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  /** As it stands: `fetch` would tidy the path up. */
  function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<IncomingMessage> {
    const { hostname, port } = new URL(server.url);
    return new Promise((resolve, reject) => {
      request({ host: hostname, port, path, headers, method }, resolve).once('error', reject).end();
    });
  }

  test.each([
    ['/', 'text/html; charset=utf-8'],
    ['/inspector', 'text/html; charset=utf-8'],
    ['/?view=pair', 'text/html; charset=utf-8'],
    ['/assets/index-abc.js', 'text/javascript; charset=utf-8'],
    ['/assets/index-abc.css', 'text/css; charset=utf-8'],
    ['/icon.svg', 'image/svg+xml'],
  ])('answers %s as what it is', async (path, type) => {
    const response = await ask(path);
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe(type);
    expect(response.headers['x-content-type-options']).toBe('nosniff');
    response.resume();
  });

  test('allows scripts, styles and connections of this server alone', async () => {
    const response = await ask('/');
    expect(await text(response)).toBe(page);
    const policy = String(response.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toMatch(/connect-src 'self'(;|$)/);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });

  test('is kept for good where a hash stands in the name, and asked for anew elsewhere', async () => {
    const kept = await ask('/assets/index-abc.js');
    expect(kept.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    kept.resume();
    const asked = await ask('/');
    expect(asked.headers['cache-control']).toBe('no-cache');
    asked.resume();
    const again = await ask('/', { 'if-none-match': String(asked.headers.etag) });
    expect(again.statusCode).toBe(304);
    expect(await text(again)).toBe('');
  });

  test('is sent compressed to who can read it', async () => {
    const response = await ask('/assets/index-abc.js', { 'accept-encoding': 'br, gzip' });
    expect(response.headers['content-encoding']).toBe('gzip');
    expect(response.headers.vary).toContain('Accept-Encoding');
    expect(gunzipSync(await buffer(response)).toString()).toBe(script);
    const plain = await ask('/assets/index-abc.js');
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(await text(plain)).toBe(script);
  });

  test.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/..%2fsecret.txt',
    '/assets/%2e%2e/%2e%2e/secret.txt',
    '/..\\secret.txt',
    '/index.html/../../secret.txt',
    '/notes.sqlite',
    '/assets',
    '/assets/',
    '/%00',
    '/constructor',
  ])('has nothing at %s', async (path) => {
    const response = await ask(path);
    expect([400, 404]).toContain(response.statusCode);
    expect(await text(response)).not.toMatch(/secret$|not for anybody/);
  });

  test('is read, and nothing else', async () => {
    const head = await ask('/', {}, 'HEAD');
    expect(head.statusCode).toBe(200);
    expect(head.headers['content-length']).toBe(String(page.length));
    const post = await ask('/', {}, 'POST');
    expect(post.statusCode).toBe(405);
    expect(post.headers.allow).toBe('GET, HEAD, OPTIONS');
    post.resume();
  });

  test('offers nobody to sign in as in production', async () => {
    expect(JSON.parse(await text(await ask('/demo/people')))).toEqual({ people: [] });
  });

  test('has to be there', () => {
    expect(() => createSite(join(folder, 'site', 'assets'))).toThrow('there is no index.html');
    expect(() => createSite(join(folder, 'elsewhere'))).toThrow();
  });
});
