import { type About, brief } from '../observability/about.ts';
import type { Log } from '../observability/log.ts';
import type { EndKind } from './closing.ts';
import type { Connection } from './connections.ts';

/** Is told of each connection that comes and goes. */
export interface Comings {
  came(connection: Connection): void;
  /** It is known whose it is. */
  identified(connection: Connection): void;
  went(
    connection: Connection,
    kind: EndKind,
    detail?: { readonly code: number; readonly reason: string },
  ): void;
}

interface Counts {
  opened(transport: string): void;
  closed(transport: string, kind: EndKind): void;
}

/** Counts connections, and logs them where somebody looks for a single one: a node has thousands. */
export function createComings(log: Log, counts: Counts): Comings {
  const isLogged = log.isLevelEnabled('debug');
  return {
    came: ({ transport }) => counts.opened(transport),
    identified: (connection) => {
      if (!isLogged) return;
      const { transport, ipAddress, userAgent } = connection;
      const client = { transport, ipAddress, userAgent: userAgent && brief(userAgent) };
      log.debug({ ...aboutOf(connection), ...client }, 'connection opened');
    },
    went: (connection, kind, detail) => {
      counts.closed(connection.transport, kind);
      if (!isLogged) return;
      const said = detail && { code: detail.code, reason: brief(detail.reason) };
      log.debug({ ...aboutOf(connection), kind, ...said }, 'connection closed');
    },
  };
}

const aboutOf = ({ id, userId }: Connection): About => ({
  connectionId: id,
  userId: userId ?? undefined,
});
