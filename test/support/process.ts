import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { createTokens } from '../../src/auth/tokens.ts';
import type { Role } from '../../src/domain/viewer.ts';
import { secret } from './server.ts';
import { unlimited } from './unlimited.ts';

/** The server as its users start it, in a process of its own. */
export interface ServerProcess {
  readonly url: string;
  readonly output: () => string;
  readonly errors: () => string;
  signal(name: NodeJS.Signals): void;
  /** The exit code, null after a signal that ended it. */
  readonly ended: Promise<number | null>;
}

export async function spawnServer(environment: Record<string, string>): Promise<ServerProcess> {
  const child = spawn(process.execPath, ['scripts/start.js'], {
    env: environmentOf(environment),
    stdio: 'pipe',
  });
  // Whatever becomes of the test, the process ends.
  onTestFinished(() => void child.kill('SIGKILL'));
  const { output, errors } = collect(child);
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', () => {
      const [, found] = /^listening on (\S+)$/m.exec(output()) ?? [];
      if (found) resolve(found);
    });
    void ended.then((code) => reject(new Error(`ended with ${code}: ${output()}${errors()}`)));
  });
  return { url, output, errors, signal: (name) => child.kill(name), ended };
}

/** A command to its end. */
export async function runScript(script: string, args: string[], environment: Record<string, string>) {
  const child = spawn(process.execPath, [`scripts/${script}.js`, ...args], {
    env: environmentOf(environment),
    stdio: 'pipe',
  });
  const { output, errors } = collect(child);
  const [code] = await once(child, 'close');
  return { code: code as number | null, output: output(), errors: errors() };
}

export async function tokenOf(userId: string, roles: readonly Role[] = []): Promise<string> {
  return createTokens({ secret }).sign!({ userId, roles, lifetimeMs: 3_600_000 });
}

function environmentOf(environment: Record<string, string>): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return {
    PATH,
    HOME,
    PORT: '0',
    JWT_SECRET: secret,
    LOG_LEVEL: 'warn',
    DRAIN_SECONDS: '1',
    ...unlimited,
    ...environment,
  };
}

function collect(child: ChildProcess) {
  let output = '';
  let errors = '';
  child.stdout!.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr!.on('data', (chunk) => {
    errors += chunk;
  });
  return { output: () => output, errors: () => errors };
}
