import { spawn } from 'node:child_process';
import { expect } from 'vitest';
import { eventually } from '../support/eventually.ts';

/** A reader at a shell: what is exported stays, and one command may go on showing something meanwhile. */
export class Terminal {
  readonly #folder: string;
  /** What has been exported. */
  environment: NodeJS.ProcessEnv;
  #showing: { readonly expected: string; readonly command: Command } | undefined;

  constructor(folder: string, environment: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.environment = environment;
  }

  /** Runs lines to their end. Answers what they print; fails with what they say of a failure. */
  async run(lines: string): Promise<string> {
    const command = this.#start(`${lines}\nenv -0 >&3`);
    const code = await command.ended;
    expect(code, `${lines}\n${command.errors()}`).toBe(0);
    const exported = command.environment().split('\0').filter(Boolean);
    this.environment = Object.fromEntries(exported.map((line) => /^([^=]*)=(.*)$/s.exec(line)!.slice(1)));
    return command.output();
  }

  /** Starts what goes on. Resolves when it shows the first line of what is expected of it. */
  async show(lines: string, expected: string): Promise<void> {
    await this.interrupt();
    const command = this.#start(lines);
    this.#showing = { expected, command };
    const [first] = expected.split('\n');
    await eventually(() => expect(command.output() + command.errors()).toMatch(patternOf(first!)));
  }

  /** Ends it, once it has shown everything, in this order. */
  async interrupt(): Promise<void> {
    if (!this.#showing) return;
    const { expected, command } = this.#showing;
    this.#showing = undefined;
    const pattern = new RegExp(
      expected
        .split('\n')
        .filter(Boolean)
        .map((line) => patternOf(line).source)
        .join('[^]*?'),
      'm',
    );
    try {
      await eventually(() => expect(command.output()).toMatch(pattern));
    } finally {
      command.stop();
    }
    await command.ended;
  }

  /** Ends it whatever it has shown. */
  close(): void {
    this.#showing?.command.stop();
  }

  #start(lines: string): Command {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', lines], {
      cwd: this.#folder,
      env: this.environment,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const texts = ['', '', ''];
    for (const [index, stream] of [child.stdout, child.stderr, child.stdio[3]!].entries()) {
      stream!.on('data', (part) => {
        texts[index] += part;
      });
    }
    return {
      output: () => texts[0]!,
      errors: () => texts[1]!,
      environment: () => texts[2]!,
      ended: new Promise((resolve) => child.once('close', resolve)),
      stop: () => {
        if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!);
      },
    };
  }
}

interface Command {
  output(): string;
  errors(): string;
  environment(): string;
  /** The exit code, null after a signal. */
  readonly ended: Promise<number | null>;
  stop(): void;
}

/** A line as it is shown on a page: what ends in `…` may be anything. */
const patternOf = (line: string): RegExp =>
  new RegExp(`^${line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/[\w-]*…/g, '.*')}$`, 'm');
