import { parseArgs } from 'node:util';
import { parseConfig, readEnvironment } from '../config.ts';
import { createWatches, type NewWatch } from '../domain/watch.ts';
import { openDatabase } from '../open.ts';
import { end } from './end.ts';

const usage =
  'usage: npm run watch -- orders --audience EVERYONE|SERVICE|OWNER:column|CHANNEL:column [--columns a,b] [--name Orders] [--primary-key id]';

const administrator = { id: 'watch', roles: ['admin' as const] };

await end(async () => {
  const wanted = parseArguments(process.argv.slice(2));
  const database = await openDatabase(parseConfig(readEnvironment()));
  try {
    const watches = createWatches({ database, committed: () => {} });
    const { name, tableSchema, tableName, columns } = await watches.watch(administrator, wanted);
    console.log(`${name}: ${tableSchema}.${tableName} (${columns.join(', ')})`);
  } finally {
    await database.close();
  }
});

function parseArguments(args: string[]): NewWatch {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      audience: { type: 'string' },
      columns: { type: 'string' },
      name: { type: 'string' },
      'primary-key': { type: 'string' },
    },
  });
  const [table] = positionals;
  const [, open, narrow, audienceColumn] =
    /^(?:(EVERYONE|SERVICE)|(OWNER|CHANNEL):(.+))$/.exec(values.audience ?? '') ?? [];
  const audience = open ?? narrow;
  if (!table || positionals.length > 1 || !audience) throw new Error(usage);
  return {
    table,
    audience: audience as NewWatch['audience'],
    audienceColumn,
    columns: values.columns?.split(',').map((column) => column.trim()),
    name: values.name,
    primaryKey: values['primary-key'],
  };
}
