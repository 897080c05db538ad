import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type TestServer, testServer } from '../support/server.ts';

const text = readFileSync(new URL('../../docs/plain.md', import.meta.url), 'utf8');

/** What is to be run, and what is shown behind it. */
const examples = [...text.matchAll(/```sh\n(.*?)```\s+```(?:json|text)\n(.*?)```/gs)].map(
  ([, command, answer]) => ({ command: command!, answer: answer! }),
);

/** Every name that an example has, with those that its value has. */
function shapeOf(value: any): unknown {
  if (typeof value === 'boolean') return value;
  if (Array.isArray(value)) return expect.arrayContaining(value.map(shapeOf));
  if (typeof value !== 'object' || value === null) return expect.anything();
  const names = Object.entries(value).map(([name, part]) => [name, part === null ? null : shapeOf(part)]);
  return expect.objectContaining(Object.fromEntries(names));
}

describe('the lines of docs/plain.md', () => {
  let server: TestServer;
  let environment: NodeJS.ProcessEnv;

  beforeAll(async () => {
    server = await testServer('postgres');
    environment = { ...process.env, URL: server.url, TOKEN: await server.token('demo', ['admin']) };
  });
  afterAll(() => server.close());

  /** What is missing on this machine, curl for one, fails. */
  function run(command: string) {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', command], { env: environment, detached: true });
    const output = { text: '' };
    child.stdout.on('data', (part) => {
      output.text += part;
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { output, ended, stop: () => process.kill(-child.pid!) };
  }

  test('run, in order, and answer what stands behind them', async () => {
    const [streaming, ...others] = examples;
    expect(others.length).toBeGreaterThanOrEqual(5);
    const stream = run(streaming!.command);
    await eventually(() => expect(stream.output.text).toContain('event: connected'));
    for (const { command, answer } of others) {
      const { output, ended } = run(command);
      expect(await ended).toBe(0);
      expect(JSON.parse(output.text)).toEqual(shapeOf(JSON.parse(answer)));
    }

    const events = (of: string) => [...of.matchAll(/^event: (.*)$/gm)].map(([, event]) => event);
    await eventually(() =>
      expect(events(stream.output.text)).toEqual(expect.arrayContaining(events(streaming!.answer))),
    );
    stream.stop();
    await stream.ended;
  });
});
