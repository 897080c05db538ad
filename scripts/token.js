import { run } from './run.js';

await run('cli/token.js');
