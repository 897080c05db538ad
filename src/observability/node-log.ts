import type { Config } from '../config.ts';
import { version } from '../lib/version.ts';
import type { Log } from './log.ts';
import { describeConfig } from './secrets.ts';

/** What is said of the node itself, in its life. */
export function createNodeLog(log: Log, node: string) {
  return {
    started: (config: Config, databaseVersion: string | undefined) => {
      const versions = { version, nodeVersion: process.version, databaseVersion };
      log.info({ node, ...versions, config: describeConfig(config) }, 'started');
    },
    led: (isLeading: boolean) =>
      log.info({ node }, isLeading ? 'this node relays' : 'this node relays no more'),
    reached: (isConnected: boolean) => {
      if (isConnected) log.info({ node }, 'the bus is back');
      else log.warn({ node }, 'the bus is away: the journal is read instead');
    },
    renewed: (until: number) =>
      log.warn(
        { node, until },
        'the database has become another one: positions behind this one have expired',
      ),
  };
}
