import { run } from './run.js';

await run('cli/migrate.js');
