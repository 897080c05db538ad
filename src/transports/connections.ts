/** One open connection of a client, of whatever wire. */
export interface Connection {
  readonly transport: 'websocket' | 'sse';
  /** Tells the client to come back elsewhere, and closes once what it asked for is answered. */
  drain(): Promise<void>;
  /** Closes at once. */
  destroy(): void;
}

/** Every open connection of this node. */
export class Connections {
  #open = new Set<Connection>();
  #isDraining = false;

  /** Who was let in just before the draining began is sent away at once. */
  add(connection: Connection): void {
    this.#open.add(connection);
    if (this.#isDraining) void connection.drain();
  }

  remove(connection: Connection): void {
    this.#open.delete(connection);
  }

  counts(): Record<Connection['transport'], number> {
    const counts = { websocket: 0, sse: 0 };
    for (const { transport } of this.#open) counts[transport] += 1;
    return counts;
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
