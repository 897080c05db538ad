import { parseConfig, readEnvironment } from '../config.ts';
import { beginEpoch } from '../db/epochs.ts';
import { openDatabase } from '../open.ts';
import { end } from './end.ts';

/** After a restore into the same server: positions that the restored database never gave out are told apart. */
await end(async () => {
  const database = await openDatabase(parseConfig(readEnvironment()));
  try {
    const head = await beginEpoch(database);
    console.log(
      `A new epoch has begun. Positions behind event ${head} have expired, those up to it stay good.`,
    );
  } finally {
    await database.close();
  }
});
