import { ConfigError, parseConfig, readEnvironment } from './config.ts';
import { DirectoryLockedError } from './lib/directory-lock.ts';
import { createLog } from './observability/log.ts';
import { startServer } from './server.ts';

const embeddedNotice =
  'The database is embedded: it survives the end of the process but not a loss of power, and one process at a time\n' +
  'has it. Set DATABASE_URL to use a PostgreSQL server.';

try {
  await main();
} catch (error) {
  console.error(isExpected(error) ? error.message : error);
  process.exit(1);
}

async function main(): Promise<void> {
  const config = parseConfig(readEnvironment());
  const log = createLog(config.logLevel);
  const server = await startServer(config, log);
  console.log(`listening on ${server.url}`);
  if (config.graphiql) console.log(`GraphiQL     ${server.url}/graphql`);
  if (server.demoToken) console.log(`demo token   ${server.demoToken}`);
  if (!config.databaseUrl) console.log(embeddedNotice);
  if (config.redisUrls)
    console.log('REDIS_URL is set, and not used yet: events reach other nodes by the journal.');

  let isClosing = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // Whoever asks twice does not want to wait.
      if (isClosing) process.exit(1);
      isClosing = true;
      log.info({ signal }, 'draining');
      server.close().then(
        () => process.exit(0),
        (error) => {
          log.fatal({ err: error }, 'closing failed');
          process.exit(1);
        },
      );
    });
  }
}

/** What the person who starts it can mend. */
function isExpected(error: unknown): error is Error {
  return (
    error instanceof ConfigError ||
    error instanceof DirectoryLockedError ||
    (error instanceof Error &&
      'code' in error &&
      typeof error.code === 'string' &&
      /^E[A-Z]+$/.test(error.code))
  );
}
