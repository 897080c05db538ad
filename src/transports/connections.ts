import type { ConnectionRow, Registry } from '../db/registry.ts';
import type { Refusal } from '../errors.ts';
import type { Closing, EndKind } from './closing.ts';
import type { Comings } from './comings.ts';

/** One open connection of a client, of whatever wire. */
export interface Connection extends Omit<ConnectionRow, 'userId'> {
  /** Null until it is known who it is. */
  readonly userId: string | null;
  /** Tells the client to come back elsewhere, and closes once what it asked for is answered. */
  drain(): Promise<void>;
  /** Ends it because of a loss of rights, saying why. */
  end(closing: Closing, refusal: Refusal): void;
  /** Closes at once. */
  destroy(): void;
}

/** Every open connection of this node. */
export class Connections {
  #open = new Set<Connection>();
  #isDraining = false;
  readonly #registry: Registry;
  readonly #comings: Comings | undefined;

  constructor(registry: Registry, comings?: Comings) {
    this.#registry = registry;
    this.#comings = comings;
  }

  /** Who was let in just before the draining began is sent away at once. */
  add(connection: Connection): void {
    this.#open.add(connection);
    this.#comings?.came(connection);
    if (this.#isDraining) void connection.drain();
  }

  /** It is known whose it is. */
  identified(connection: Connection): void {
    if (isIdentified(connection)) this.#registry.opened(connection);
    this.#comings?.identified(connection);
  }

  /** It has subscribed to something, or left it. */
  subscribed({ id }: Connection): void {
    this.#registry.subscribed(id);
  }

  remove(connection: Connection, kind: EndKind, detail?: { code: number; reason: string }): void {
    if (this.#open.delete(connection)) this.#comings?.went(connection, kind, detail);
    this.#registry.closed(connection.id);
  }

  /** Ends a user's connections, or the one of them that is named. */
  end(userId: string, id: string | undefined, closing: Closing, refusal: Refusal): void {
    for (const connection of this.#open) {
      if (connection.userId !== userId || (id !== undefined && connection.id !== id)) continue;
      connection.end(closing, refusal);
    }
  }

  /** Sends everybody away, evenly over the time, so that they do not all come to the next node at once. */
  async drain(milliseconds: number): Promise<void> {
    this.#isDraining = true;
    const leaving = [...this.#open];
    const everyMs = milliseconds / leaving.length;
    await Promise.all(
      leaving.map(async (connection, index) => {
        if (index > 0) await new Promise((resolve) => setTimeout(resolve, index * everyMs));
        await connection.drain();
      }),
    );
  }

  destroy(): void {
    for (const connection of this.#open) connection.destroy();
  }
}

function isIdentified(connection: Connection): connection is Connection & ConnectionRow {
  return connection.userId !== null;
}
