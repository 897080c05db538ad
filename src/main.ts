import { inspect } from 'node:util';
import { ConfigError, parseConfig, readEnvironment } from './config.ts';
import { DirectoryLockedError } from './lib/directory-lock.ts';
import { describeError } from './observability/error.ts';
import { createLog, type Log } from './observability/log.ts';
import { secretsOf } from './observability/secrets.ts';
import { meetTheUnexpected } from './observability/unexpected.ts';
import { createVeil } from './observability/veil.ts';
import { type RunningServer, startServer } from './server.ts';
import { pollingNotice } from './transports/health.ts';

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
  const secrets = secretsOf(config);
  const log = createLog(config.logLevel, secrets);
  let server: RunningServer | undefined;
  meetTheUnexpected(log, () => server?.unhandled());
  server = await startServer(config, log).catch((error) => {
    throw isExpected(error) ? error : createVeil(secrets)(inspect(describeError(error), { depth: 5 }));
  });
  // One write, and the line that says that it is ready comes last.
  console.log(
    [
      ...(config.databaseUrl ? [] : [embeddedNotice]),
      ...(config.databaseUrl && !config.redisUrls ? [pollingNotice] : []),
      ...(config.demo?.files ? [`demo         ${server.url}`] : []),
      ...(server.demoToken ? [`demo token   ${server.demoToken}`] : []),
      ...(config.graphiql ? [`GraphiQL     ${server.url}/graphql`] : []),
      `listening on ${server.url}`,
    ].join('\n'),
  );
  closeWhenAsked(server, log);
}

function closeWhenAsked(server: RunningServer, log: Log): void {
  let isClosing = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // Whoever asks twice does not want to wait.
      if (isClosing) process.exit(1);
      isClosing = true;
      log.info({ signal }, 'draining');
      server.close().then(
        () => {
          log.info('closed');
          process.exit(0);
        },
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
