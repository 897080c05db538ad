import { parseConfig, readEnvironment } from '../config.ts';
import { openDatabase } from '../open.ts';
import { end } from './end.ts';

await end(async () => {
  const database = await openDatabase(parseConfig(readEnvironment()));
  await database.close();
  console.log('The tables are up to date.');
});
