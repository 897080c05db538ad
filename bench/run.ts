import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { channelsOfFive } from './channels.ts';
import { connect } from './connect.ts';
import { fanout } from './fanout.ts';
import { flood } from './flood.ts';
import { idle } from './idle.ts';
import { latency } from './latency.ts';
import { models } from './models.ts';
import { nodes } from './nodes.ts';
import { relay } from './relay.ts';
import { slow } from './slow.ts';
import { storm } from './storm.ts';
import { write } from './write.ts';

/** A row of a result: what was measured, and its figures. */
export type Row = Record<string, string | number>;

const benchmarks: Record<string, () => Promise<Row[]>> = {
  channels: channelsOfFive,
  connect,
  fanout,
  flood,
  idle,
  latency,
  models,
  nodes,
  relay,
  slow,
  storm,
  write,
};

const name = process.argv[2] ?? '';
const benchmark = benchmarks[name];
if (!benchmark) {
  console.error(`usage: npm run bench -- <name>, where a name is ${Object.keys(benchmarks).join(' or ')}`);
  process.exit(1);
}
const rows = await benchmark();
console.table(rows);
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim();
mkdirSync('bench/results', { recursive: true });
const path = `bench/results/${name}-${new Date().toISOString().replaceAll(':', '-')}.json`;
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
writeFileSync(path, `${JSON.stringify({ name, commit, machine, rows }, null, 2)}\n`);
console.log(path);
process.exit(0);
