import { parseArgs } from 'node:util';

/** What can be run, each on real processes: a module of this name in `scenarios/`. */
const scenarios = ['random', 'network', 'rolling', 'figures', 'fuzz', 'churn'] as const;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string' },
    nodes: { type: 'string' },
    bus: { type: 'string' },
  },
});
const name = scenarios.find((scenario) => scenario === (positionals[0] ?? 'random'));
if (!name) {
  console.error(`usage: npm run faults -- [${scenarios.join(' | ')}] [--seed 7] [--minutes 5] [--nodes 3]`);
  process.exit(1);
}
const { run } = await import(`./scenarios/${name}.ts`);
// A scenario prints what it saw, and throws when a promise was broken.
await run(values);
process.exit(0);
