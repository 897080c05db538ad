import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { spawnServer } from '../support/process.ts';
import { startRedis } from '../support/redis-server.ts';

test('a server process talks to Redis by TLS, with a password', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'realtime-tls-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const files = ['-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...files, ...subject], {
    stdio: 'pipe',
  });
  chmodSync(folder, 0o755);
  const port = await freePort();
  const redis = await startRedis({
    requirepass: 'secret',
    'tls-port': String(port),
    'tls-cert-file': certificate,
    'tls-key-file': key,
    'tls-ca-cert-file': certificate,
    'tls-auth-clients': 'no',
  });
  const database = await freshDatabase();
  onTestFinished(async () => {
    await redis.stop();
    await database.drop();
    await rm(folder, { recursive: true });
  });
  const server = await spawnServer({
    DATABASE_URL: database.url,
    REDIS_URL: `rediss://:secret@127.0.0.1:${port}`,
    NODE_EXTRA_CA_CERTS: certificate,
  });

  await eventually(async () => {
    expect(await (await fetch(`${server.url}/ready`)).json()).toEqual({ status: 'ready' });
  });
  server.signal('SIGTERM');
  expect(await server.ended).toBe(0);
});
