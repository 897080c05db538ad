import { run } from './run.js';

await run('cli/new-epoch.js');
