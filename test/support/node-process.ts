import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createTokens } from '../../src/auth/tokens.ts';
import type { Role } from '../../src/domain/viewer.ts';
import { until } from './until.ts';

const secret = 'a secret of the fault runs, long enough to be one';
const readyWithinMs = 20_000;
const day = 86_400_000;

/** A token that every node of a fault run takes. */
export function signToken(userId: string, roles: readonly Role[] = []): Promise<string> {
  return createTokens({ secret }).sign!({ userId, roles, lifetimeMs: day });
}

/** The compiled server, to be run by `node` itself: a signal then reaches it without a detour. */
export async function buildMain(): Promise<string> {
  const { build } = await import(new URL('../../scripts/build.js', import.meta.url).href);
  return join(await build(), 'main.js');
}

/** One node of a cluster: a process that can be ended, and started again at the same address. */
export class NodeProcess {
  readonly name: string;
  readonly url: string;
  /** Everything that it wrote to standard error, in all its lives. */
  log = '';
  /** The exit code of the present life, null when a signal ended it. */
  ended: Promise<number | null> = Promise.resolve(null);
  readonly #options: NodeOptions;
  #child: ChildProcess | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.url = `http://${options.host}:${options.port}`;
    process.once('exit', () => this.#child?.kill('SIGKILL'));
  }

  /** Resolves when it is ready, with how long that took. */
  async start(): Promise<number> {
    const { main, host, port, environment, prefix = [] } = this.#options;
    const startedAt = performance.now();
    const [program, ...parameters] = [...prefix, process.execPath, '--enable-source-maps', main];
    const { PATH, HOME } = process.env;
    const own = { PATH, HOME, JWT_SECRET: secret, HOST: host, PORT: String(port), LOG_LEVEL: 'warn' };
    const child = spawn(program!, parameters, {
      env: { ...own, ...environment },
      stdio: 'pipe',
    });
    this.#child = child;
    this.ended = new Promise((resolve) => child.once('exit', resolve));
    child.stdout.resume();
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    await until(`${this.name} is ready`, readyWithinMs, async () => {
      if (child.exitCode !== null) throw new Error(`${this.name} ended with ${child.exitCode}:\n${this.log}`);
      return (await this.readiness()) === 200;
    });
    return performance.now() - startedAt;
  }

  /** The status of `/ready`, null when nobody answers. */
  async readiness(): Promise<number | null> {
    try {
      const response = await fetch(`${this.url}/ready`, { signal: AbortSignal.timeout(2_500) });
      await response.arrayBuffer();
      return response.status;
    } catch {
      return null;
    }
  }

  /** The sum of a metric over all its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  async kill(): Promise<void> {
    if (!this.#child) return;
    this.signal('SIGKILL');
    await this.ended;
  }
}

interface NodeOptions {
  readonly name: string;
  /** The module that `buildMain` found. */
  readonly main: string;
  readonly host: string;
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
  /** What the command line begins with, `ip netns exec …` for one. It has to hand its process over. */
  readonly prefix?: readonly string[];
}
