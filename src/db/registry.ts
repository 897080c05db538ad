import type { Database } from './database.ts';
import { goneInterval, putAway } from './put-away.ts';

/** One live connection, as operators see it. What can change is read when it is written. */
export interface ConnectionRow {
  readonly id: string;
  readonly userId: string;
  readonly transport: 'websocket' | 'sse';
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  /** Names of the channels that its subscriptions are about. */
  readonly channels: readonly string[];
  readonly subscriptionCount: number;
  /** It has been asked for a sign of life, and has not given one yet. */
  readonly isSilent: boolean;
}

/** How much is open on a node. */
export interface Load {
  readonly connections: number;
  readonly subscriptions: number;
}

export interface Cluster extends Load {
  readonly nodes: number;
}

/** A node says that it is there this often. */
const usualBeatMs = 2_000;
/** So many beats lie between two writings of who is alive. */
const beatsPerPing = 7;
/** Nobody waits for what is written here; it may be a moment old. */
const gatherMs = 25;
/** Clients come and subscribe, leave and subscribe anew: what they settle on is written. */
const settleMs = 500;
/** By one statement: what is not written in time fails, and is tried anew. */
const mostAtOnce = 5_000;
/** After a database that was away, all nodes look gone: for so many beats they may come back. */
const amnestyBeats = 5;
const longestUserAgent = 500;

/** Who is connected to which node: `realtime_connections` and `realtime_nodes`, written in batches. */
export class Registry {
  readonly node: string;
  readonly #database: Database;
  readonly #subscriptions: () => number;
  readonly #failed: (error: unknown) => void;
  #open = new Map<string, Opened>();
  /** How many connections each user has here. */
  #users = new Map<string, number>();
  /** What has been opened, has changed or has been closed since it was written. */
  #unwritten = new Set<string>();
  /** What the table may have as active. */
  #stored = new Set<string>();
  /** Whose subscriptions have changed. */
  #unsettled = new Set<string>();
  #settling: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout | undefined;
  #beats = 0;
  #refreshing: Promise<void> | undefined;
  #refreshedAt = performance.now();
  #amnestyUntil = 0;
  #writing: Promise<void> | undefined;
  /** One statement on this node's connections at a time. */
  #underWay: Promise<unknown> = Promise.resolve();
  readonly #beatMs: number;

  constructor({ node, database, subscriptions, failed, beatMs = usualBeatMs }: RegistryOptions) {
    this.node = node;
    this.#beatMs = beatMs;
    this.#database = database;
    this.#subscriptions = subscriptions;
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
    }, this.#beatMs);
  }

  opened(connection: ConnectionRow): void {
    const { id, userId } = connection;
    if (!this.#open.has(id)) this.#users.set(userId, (this.#users.get(userId) ?? 0) + 1);
    this.#open.set(id, { connection, at: performance.now() });
    this.#changed(id);
  }

  /** It has subscribed to something, or left it. */
  subscribed(id: string): void {
    if (!this.#open.has(id)) return;
    this.#unsettled.add(id);
    this.#settling ??= setTimeout(() => this.#settle(), settleMs);
  }

  closed(id: string): void {
    const opened = this.#open.get(id);
    if (!opened) return;
    this.#open.delete(id);
    const { userId } = opened.connection;
    const others = this.#users.get(userId)! - 1;
    if (others > 0) this.#users.set(userId, others);
    else this.#users.delete(userId);
    // Nobody has to know of one that was never written; while the database is away they would pile up.
    if (this.#stored.has(id)) this.#changed(id);
    else this.#unwritten.delete(id);
  }

  /** Whether a user has a connection to this node. */
  isHere(userId: string): boolean {
    return this.#users.has(userId);
  }

  /** How many connections there are on this node, by transport. */
  counts(): Record<ConnectionRow['transport'], number> {
    const counts = { websocket: 0, sse: 0 };
    for (const { connection } of this.#open.values()) counts[connection.transport] += 1;
    return counts;
  }

  /** Resolves when everything that has changed so far is written, or could not be. */
  async flush(): Promise<void> {
    this.#settle();
    while ((await this.#writeBatch()) && this.#unwritten.size > 0);
  }

  /** All nodes together; this one's own as it is now. */
  async cluster(): Promise<Cluster> {
    const [others] = await this.#database.query<Cluster>(
      `select count(*)::int as nodes, coalesce(sum(connections), 0)::int as connections,
              coalesce(sum(subscriptions), 0)::int as subscriptions
         from realtime_nodes where id <> $1 and seen_at > clock_timestamp() - ${goneInterval}`,
      [this.node],
    );
    return {
      nodes: others!.nodes + 1,
      connections: others!.connections + this.#open.size,
      subscriptions: others!.subscriptions + this.#subscriptions(),
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#beat);
    await this.#refreshing;
    for (const id of this.#open.keys()) this.closed(id);
    await this.flush();
    await this.#writing;
    await this.#database.query('delete from realtime_nodes where id = $1', [this.node]).catch(this.#failed);
  }

  #changed(id: string): void {
    this.#unwritten.add(id);
    void this.#write();
  }

  #settle(): void {
    clearTimeout(this.#settling);
    this.#settling = undefined;
    for (const id of this.#unsettled) if (this.#open.has(id)) this.#changed(id);
    this.#unsettled.clear();
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
    while (this.#unwritten.size > 0 && (await this.#writeBatch()));
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#underWay.then(work);
    this.#underWay = result.catch(() => {});
    return result;
  }

  /** False when it could not be written. */
  #writeBatch(): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#unwritten.size === 0) return true;
      const ids = [...this.#unwritten].slice(0, mostAtOnce);
      for (const id of ids) this.#unwritten.delete(id);
      const open = ids.flatMap((id) => this.#open.get(id) ?? []);
      const closed = ids.filter((id) => !this.#open.has(id));
      // Of what fails nobody knows whether it was written.
      for (const { connection } of open) this.#stored.add(connection.id);
      try {
        const rows = JSON.stringify(open.map(rowOf));
        const load = [this.#open.size, this.#subscriptions()];
        await this.#database.query(writeConnections, [rows, this.node, closed, ...load]);
        for (const id of closed) this.#stored.delete(id);
        return true;
      } catch (error) {
        this.#failed(error);
        // The next heartbeat tries again.
        this.#unwritten = new Set([...ids, ...this.#unwritten]);
        return false;
      }
    });
  }

  /** Says that this node is there, with whom, and puts away those that are not. */
  async #refresh(): Promise<void> {
    const [row] = await this.#database.query<{ isNew: boolean }>(
      `insert into realtime_nodes (id, connections, subscriptions) values ($1, $2, $3)
       on conflict (id) do update set seen_at = clock_timestamp(), connections = $2, subscriptions = $3
       returning xmax::text = '0' as "isNew"`,
      [this.node, this.#open.size, this.#subscriptions()],
    );
    // Taken for gone, this node was put away with its connections.
    if (row!.isNew) this.#writeAnew();
    if (this.#unwritten.size > 0) await this.#write();
    const now = performance.now();
    const amnestyMs = amnestyBeats * this.#beatMs;
    if (now - this.#refreshedAt > amnestyMs / 2) this.#amnestyUntil = now + amnestyMs;
    this.#refreshedAt = now;
    this.#beats += 1;
    if (this.#beats % beatsPerPing === 0) await this.#ping();
    if (now >= this.#amnestyUntil) await putAway(this.#database);
  }

  #writeAnew(): void {
    for (const id of this.#open.keys()) this.#changed(id);
  }

  /** Says who is alive. Fewer than there should be: somebody else has put them away, or removed them. */
  #ping(): Promise<void> {
    return this.#inTurn(async () => {
      const all = [...this.#open.values()].map(({ connection }) => connection);
      const silent = all.filter(({ isSilent }) => isSilent).map(({ id }) => id);
      const least = all.filter(({ id, isSilent }) => !isSilent && !this.#unwritten.has(id)).length;
      const [row] = await this.#database.query<{ alive: number }>(writePings, [this.node, silent]);
      if (row!.alive < least) this.#writeAnew();
    });
  }
}

interface Opened {
  readonly connection: ConnectionRow;
  /** By the clock of the process. */
  readonly at: number;
}

/** A connection as `writeConnections` reads it. */
function rowOf({ connection, at }: Opened) {
  const { id, userId, transport, ipAddress, channels, subscriptionCount } = connection;
  const userAgent = connection.userAgent?.slice(0, longestUserAgent) ?? null;
  const metadata = { channels, subscriptionCount };
  return { id, userId, transport, ipAddress, userAgent, metadata, ageMs: performance.now() - at };
}

const writeConnections = `
with closed as (
  update realtime_connections set is_active = false, closed_at = clock_timestamp()
   where id = any($3::uuid[]) and is_active),
load as (update realtime_nodes set connections = $4, subscriptions = $5 where id = $2)
insert into realtime_connections (id, user_id, connection_type, ip_address, user_agent, metadata, node, connected_at)
select id, "userId", transport, "ipAddress", "userAgent", metadata, $2, clock_timestamp() - "ageMs" * interval '1 ms'
  from json_to_recordset($1::text::json) as opened(
         id uuid, "userId" text, transport text, "ipAddress" text, "userAgent" text, metadata jsonb, "ageMs" float8)
on conflict (id) do update
   set is_active = true, closed_at = null, metadata = excluded.metadata,
       last_ping = case when realtime_connections.is_active then realtime_connections.last_ping else clock_timestamp() end`;

const writePings = `
with alive as (
  update realtime_connections set last_ping = clock_timestamp()
   where node = $1 and is_active and id <> all($2::uuid[]) returning 1)
select count(*)::int as alive from alive`;

interface RegistryOptions {
  /** Names this process, once. */
  readonly node: string;
  readonly database: Database;
  /** How many subscriptions are open here. */
  subscriptions(): number;
  failed(error: unknown): void;
  /** @default 2,000 */
  readonly beatMs?: number;
}
