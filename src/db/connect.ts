import postgres from 'postgres';
import { settings } from './database.ts';

const statementMs = 15_000;
const idleMs = 10_000;
const connectSeconds = 3;
/** A pool of connections of ours. `onclose` is told of each that ends. */
export function connect(url: string, max: number, onclose: () => void, lockMs = 0): postgres.Sql {
  return postgres(url, {
    max,
    onclose,
    connect_timeout: connectSeconds,
    max_lifetime: null,
    backoff: () => 0.05,
    onnotice: () => {},
    connection: {
      application_name: 'gravitycar-realtime',
      // Elsewhere an instant may be of five digits of years, or seconds off the hour.
      TimeZone: 'UTC',
      ...settings,
      statement_timeout: statementMs,
      lock_timeout: lockMs,
      // Of a node that is gone without a word, nothing stays locked for long.
      idle_in_transaction_session_timeout: idleMs,
      tcp_user_timeout: idleMs,
      tcp_keepalives_idle: 5,
      tcp_keepalives_interval: 2,
      tcp_keepalives_count: 3,
    },
    // postgres.js asks for the types of arrays on each connection, and nobody hears when that is cut off: an
    // unhandled rejection, which ends the process. Those that are used are named instead.
    fetch_types: false,
    types: {
      texts: arrayOf(1009),
      uuids: arrayOf(2951),
      json: { to: 114, from: [114, 3802], serialize: unchanged, parse: unchanged },
    },
  });
}

/** Arrays go out as literals, and come back as they are: drizzle reads them itself. */
function arrayOf(oid: number) {
  return {
    to: oid,
    from: [oid],
    serialize: (items: string | readonly string[]) =>
      typeof items === 'string' ? items : `{${items.map(quoted).join(',')}}`,
    parse: unchanged,
  };
}

const unchanged = (text: string) => text;

const quoted = (item: string) => `"${item.replace(/[\\"]/g, '\\$&')}"`;
