import type { Database } from './database.ts';

/** One live connection, as operators see it. */
export interface ConnectionRow {
  readonly id: string;
  readonly userId: string;
  readonly transport: 'websocket' | 'sse';
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
}

/** How much is open on a node. */
export interface Load {
  readonly connections: number;
  readonly subscriptions: number;
}

export interface Cluster extends Load {
  readonly nodes: number;
}

const beatMs = 2_000;
/** Nobody waits for what is written here; it may be a moment old. */
const gatherMs = 25;
/** Who has not been seen for this long, by the database's clock, is gone. */
const goneInterval = "interval '10 s'";

/** Who is connected to which node: `realtime_connections` and `realtime_nodes`, written in batches. */
export class Registry {
  readonly node: string;
  readonly #database: Database;
  readonly #load: () => Load;
  readonly #failed: (error: unknown) => void;
  #open = new Map<string, ConnectionRow>();
  /** What is not written yet; null for what was closed. */
  #changes = new Map<string, ConnectionRow | null>();
  /** Those of batches whose end is not known: they may have been written. */
  #tried = new Set<string>();
  #beat: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #writing: Promise<void> | undefined;

  constructor({ node, database, load, failed }: RegistryOptions) {
    this.node = node;
    this.#database = database;
    this.#load = load;
    this.#failed = failed;
  }

  async start(): Promise<void> {
    await this.#refresh();
    this.#beat = setInterval(() => {
      this.#refreshing ??= this.#refresh()
        .catch(this.#failed)
        .finally(() => {
          this.#refreshing = undefined;
        });
    }, beatMs);
  }

  opened(connection: ConnectionRow): void {
    this.#open.set(connection.id, connection);
    this.#changed(connection.id, connection);
  }

  closed(id: string): void {
    if (!this.#open.delete(id)) return;
    // Nobody has to know of one that was never written; while the database is away they would pile up.
    if (this.#changes.get(id) && !this.#tried.has(id)) this.#changes.delete(id);
    else this.#changed(id, null);
  }

  /** Resolves when everything that has changed so far is written, or could not be. */
  async flush(): Promise<void> {
    await this.#writing;
    await this.#write();
  }

  /** All nodes together; this one's own as it is now. */
  async cluster(): Promise<Cluster> {
    const [others] = await this.#database.query<Cluster>(
      `select count(*)::int as nodes, coalesce(sum(connections), 0)::int as connections,
              coalesce(sum(subscriptions), 0)::int as subscriptions
         from realtime_nodes where id <> $1 and seen_at > clock_timestamp() - ${goneInterval}`,
      [this.node],
    );
    const own = this.#load();
    return {
      nodes: others!.nodes + 1,
      connections: others!.connections + own.connections,
      subscriptions: others!.subscriptions + own.subscriptions,
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#beat);
    await this.#refreshing;
    for (const id of this.#open.keys()) this.closed(id);
    await this.flush();
    await this.#database.query('delete from realtime_nodes where id = $1', [this.node]).catch(this.#failed);
  }

  #changed(id: string, connection: ConnectionRow | null): void {
    this.#changes.set(id, connection);
    void this.#write();
  }

  /** One batch at a time: connections come in crowds, and what comes meanwhile is the next one. */
  #write(): Promise<void> {
    this.#writing ??= this.#writeOn().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeOn(): Promise<void> {
    // Whoever comes a moment later comes along.
    await new Promise((resolve) => setTimeout(resolve, gatherMs));
    while (this.#changes.size > 0 && (await this.#writeBatch()));
  }

  /** False when it could not be written. */
  async #writeBatch(): Promise<boolean> {
    const changes = this.#changes;
    this.#changes = new Map();
    const opened = [...changes.values()].filter((row) => row !== null);
    const closed = [...changes].filter(([, row]) => row === null).map(([id]) => id);
    try {
      await this.#database.query(writeConnections, [JSON.stringify(opened), this.node, closed]);
      this.#tried.clear();
      return true;
    } catch (error) {
      this.#failed(error);
      for (const { id } of opened) this.#tried.add(id);
      // What has changed since is newer. The next heartbeat tries again.
      this.#changes = new Map([...changes, ...this.#changes]);
      return false;
    }
  }

  /** Says that this node is there, and puts away those that are not. */
  async #refresh(): Promise<void> {
    const { connections, subscriptions } = this.#load();
    const [row] = await this.#database.query<{ isNew: boolean }>(
      `insert into realtime_nodes (id, connections, subscriptions) values ($1, $2, $3)
       on conflict (id) do update set seen_at = clock_timestamp(), connections = $2, subscriptions = $3
       returning xmax::text = '0' as "isNew"`,
      [this.node, connections, subscriptions],
    );
    // Taken for gone, this node was put away with its connections.
    if (row!.isNew) for (const connection of this.#open.values()) this.#changed(connection.id, connection);
    if (this.#changes.size > 0) await this.#write();
    await this.#database.query(
      `with gone as (delete from realtime_nodes where seen_at < clock_timestamp() - ${goneInterval} returning id)
       update realtime_connections c set is_active = false from gone where c.node = gone.id and c.is_active`,
    );
  }
}

const writeConnections = `
with closed as (update realtime_connections set is_active = false where id = any($3::uuid[]))
insert into realtime_connections (id, user_id, connection_type, ip_address, user_agent, node)
select id, "userId", transport, "ipAddress", "userAgent", $2
  from json_to_recordset($1::text::json) as
       opened(id uuid, "userId" text, transport text, "ipAddress" text, "userAgent" text)
on conflict (id) do update set is_active = true, last_ping = clock_timestamp()`;

interface RegistryOptions {
  /** Names this process, once. */
  readonly node: string;
  readonly database: Database;
  load(): Load;
  failed(error: unknown): void;
}
