import type { Log } from './log.ts';

/**
 * A failure that nobody waited for is a library's, and harms nobody else. Behind an exception that nobody caught it
 * is not known what still holds: other nodes take over.
 */
export function meetTheUnexpected(log: Log, count: () => void): void {
  process.on('unhandledRejection', (reason) => {
    count();
    log.error({ err: reason }, 'something failed that nobody had waited for');
  });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'the process ends: nobody has caught this');
    process.exit(1);
  });
}
