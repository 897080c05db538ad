import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Fails when what codegen writes is not what lies there. */
const folder = 'client/src/documents';
const generated = [
  'schema.graphql',
  'client/schema.graphql',
  ...readdirSync(folder).map((name) => join(folder, name)),
];
const read = () => generated.map((path) => readFileSync(path, 'utf8'));

const before = read();
execFileSync('npm', ['run', '-s', 'codegen', '--', '--silent'], { stdio: ['ignore', 'ignore', 'inherit'] });
const after = read();
const stale = generated.filter((_path, index) => before[index] !== after[index]);
if (stale.length > 0) {
  console.error(`Codegen was not up to date, and has been run now: ${stale.join(', ')}`);
  process.exit(1);
}
