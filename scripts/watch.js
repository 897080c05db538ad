import { run } from './run.js';

await run('cli/watch.js');
