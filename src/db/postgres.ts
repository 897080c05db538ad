import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import type postgres from 'postgres';
import { listenToHeart } from '../lib/heart.ts';
import { connect } from './connect.ts';
import { type Database, isAway, type Queryable, type Statement, type Transaction } from './database.ts';
import { insertWaiting, type OutboxRow } from './outbox.ts';
import * as tables from './tables.ts';

const transactions = 10;
const readers = 6;
/** What is done on the side is rather done later than waited for. */
const asideLockMs = 2_000;
/** The server gives a statement up before that; who has not answered by then is not there. */
const answerMs = 20_000;
/** A server that does not answer so small a question within the limit is out of reach, whatever TCP says. */
const beatMs = 500;
const mostBeats = 5;

/** A PostgreSQL server, version 14 or newer. */
export function openPostgres(url: string): Database {
  const slots = new Slots(url, transactions);
  // Clients of their own: drizzle changes how its client parses, and the relay never waits behind others.
  const [orm, raw, apart] = [new Client(url, readers), new Client(url, readers), new Client(url, 1)];
  const aside = new Client(url, 1, asideLockMs);
  const parts = [slots, orm, raw, apart, aside];
  let roundTripSeconds = 0;
  const stopListening = listenToServer(
    url,
    () => {
      for (const part of parts) part.abandon();
    },
    (seconds) => {
      roundTripSeconds = seconds;
    },
  );
  const run = async <Row>({ unsafe }: Client, statement: string, parameters: readonly unknown[]) => [
    ...((await unsafe(statement, [...parameters] as never[], { prepare: true })) as unknown as Row[]),
  ];
  return {
    kind: 'postgres',
    get orm() {
      return orm.orm;
    },
    transaction: (work) => slots.use((slot) => slot.transaction(work)),
    pipeline: (statements, lockMs) => slots.use((slot) => slot.pipeline(statements, lockMs)),
    query: (statement, parameters = []) => run(raw, statement, parameters),
    queryApart: (statement, parameters = []) => run(apart, statement, parameters),
    queryAside: (statement, parameters = []) => run(aside, statement, parameters),
    get load() {
      return { ...slots.load, roundTripSeconds };
    },
    close: async () => {
      stopListening();
      await Promise.all(parts.map((part) => part.close()));
    },
  };
}

/**
 * Asks all the time whether the server is there. A network that swallows packets leaves connections open that
 * nobody will answer on; they are given up together, and who waits on them is told. The answer ends it.
 */
function listenToServer(url: string, silent: () => void, answered: (seconds: number) => void): () => void {
  let sql = connect(url, 1, () => {});
  const renew = () => {
    sql.end({ timeout: 0 }).catch(() => {});
    sql = connect(url, 1, () => {});
  };
  const stop = listenToHeart({
    everyMs: beatMs,
    beats: mostBeats,
    ask: () => {
      const askedAt = performance.now();
      return sql`select 1`.then(() => answered((performance.now() - askedAt) / 1_000), renew);
    },
    silent: () => {
      renew();
      silent();
    },
  });
  return () => {
    stop();
    sql.end({ timeout: 0 }).catch(() => {});
  };
}

/**
 * postgres.js 3.4 writes to a socket that is gone when a transaction goes on after its connection was lost, which
 * ends the process; it never answers what is asked between the error of a connection and its closing, and may
 * never flush again on one that it opens anew. So nothing here is used again that has lost a connection: a client
 * is replaced whole, and a transaction's further statements are refused.
 */
class Client {
  unsafe!: Unsafe;
  orm!: PostgresJsDatabase<typeof tables>;
  #sql!: postgres.Sql;
  readonly #make: () => postgres.Sql;
  #isClosed = false;

  constructor(url: string, max: number, lockMs?: number) {
    this.#make = () => {
      const sql: postgres.Sql = connect(url, max, () => this.#replace(sql), lockMs);
      return sql;
    };
    this.#renew();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#sql.end({ timeout: 5 });
  }

  /** Whoever waits for an answer is told that there will be none. */
  abandon(): void {
    this.#replace(this.#sql, 0);
  }

  #renew(): void {
    const sql = this.#make();
    this.#sql = sql;
    this.unsafe = (...request) => watched(sql.unsafe(...request), () => this.#replace(sql));
    this.orm = ormOver(sql, this.unsafe);
  }

  /** Its other connections may still be answering, and are given the time. */
  #replace(lost: postgres.Sql, seconds = 5): void {
    if (this.#isClosed || lost !== this.#sql) return;
    this.#renew();
    lost.end({ timeout: seconds }).catch(() => {});
  }
}

/** One connection for one transaction at a time. */
class Slot {
  isLost = false;
  readonly #sql: postgres.Sql;
  readonly #orm: Queryable;
  readonly #unsettled = new Set<Query>();

  constructor(url: string) {
    this.#sql = connect(url, 1, () => this.#lose(connectionLost()));
    this.#orm = ormOver(this.#sql, (...request) => this.#unsafe(...request));
  }

  async transaction<Result>(work: (tx: Transaction) => Promise<Result>): Promise<Result> {
    // Not waited for: it leaves together with the first statement, and the last one with the commit.
    const begun = this.#unsafe('begin');
    begun.catch(this.#lose);
    try {
      const tx: Transaction = Object.assign(Object.create(this.#orm), { waiting: [] });
      const result = await work(tx);
      await begun;
      const { command } = await this.#commit(tx.waiting);
      if (command !== 'COMMIT') throw new Error('The transaction had failed before its end.');
      return result;
    } catch (error) {
      if (!this.isLost) await this.#unsafe('rollback').catch(this.#lose);
      throw error;
    }
  }

  async pipeline<Row>(statements: readonly Statement[], lockMs?: number): Promise<Row[]> {
    const answers = await Promise.allSettled([
      this.#unsafe(lockMs === undefined ? 'begin' : `begin; set local lock_timeout = ${lockMs}`),
      ...statements.map(({ text, parameters }) =>
        this.#unsafe(text, [...parameters] as never[], { prepare: true }),
      ),
      this.#unsafe('commit'),
    ]);
    // Behind one that failed all others do, and the commit is a rollback.
    const [, ...rows] = answers.map((answer) => {
      if (answer.status === 'rejected') throw answer.reason;
      return answer.value;
    });
    return [...rows.at(-2)!] as unknown as Row[];
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 5 });
  }

  abandon(): void {
    this.#lose(connectionLost());
    this.#sql.end({ timeout: 0 }).catch(() => {});
  }

  async #commit(waiting: readonly OutboxRow[]) {
    const appended =
      waiting.length > 0 && this.#unsafe(insertWaiting, [JSON.stringify(waiting)], { prepare: true });
    const [committed] = await Promise.all([this.#unsafe('commit'), appended]);
    return committed;
  }

  /** What is not sent yet, postgres.js would run on a new connection, outside of the transaction: after `onclose`. */
  readonly #lose = (reason: unknown) => {
    this.isLost = true;
    for (const query of this.#unsettled) {
      query.reject(reason);
      if (query.state === null) query.cancel();
    }
  };

  readonly #unsafe: Unsafe = (...request) => {
    if (this.isLost) throw connectionLost();
    return watched(this.#sql.unsafe(...request), this.#lose, this.#unsettled);
  };
}

/** A bounded number of slots; who finds none waits. */
class Slots {
  readonly #url: string;
  readonly #most: number;
  #idle: Slot[] = [];
  #all = new Set<Slot>();
  #waiting: ((slot: Slot) => void)[] = [];
  #transactions = 0;
  #waitedMs = 0;

  constructor(url: string, most: number) {
    this.#url = url;
    this.#most = most;
  }

  get load() {
    const [busy, waiting] = [this.#all.size - this.#idle.length, this.#waiting.length];
    return { busy, waiting, transactions: this.#transactions, waitedSeconds: this.#waitedMs / 1_000 };
  }

  async use<Result>(work: (slot: Slot) => Promise<Result>): Promise<Result> {
    const slot = await this.#acquire();
    this.#transactions += 1;
    try {
      return await work(slot);
    } finally {
      this.#release(slot);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.map((slot) => slot.close()));
  }

  abandon(): void {
    for (const slot of this.#all) slot.abandon();
  }

  async #acquire(): Promise<Slot> {
    for (let slot = this.#idle.pop(); slot; slot = this.#idle.pop()) {
      if (!slot.isLost) return slot;
      this.#discard(slot);
    }
    return this.#all.size < this.#most ? this.#create() : this.#wait();
  }

  async #wait(): Promise<Slot> {
    const since = performance.now();
    const slot = await new Promise<Slot>((resolve) => this.#waiting.push(resolve));
    this.#waitedMs += performance.now() - since;
    return slot;
  }

  #release(slot: Slot): void {
    const next = this.#waiting.shift();
    if (slot.isLost) {
      this.#discard(slot);
      if (next) next(this.#create());
    } else if (next) next(slot);
    else this.#idle.push(slot);
  }

  #create(): Slot {
    const slot = new Slot(this.#url);
    this.#all.add(slot);
    return slot;
  }

  #discard(slot: Slot): void {
    this.#all.delete(slot);
    slot.close().catch(() => {});
  }
}

type Unsafe = postgres.Sql['unsafe'];

/** More than postgres.js declares: whoever holds a query may settle it, and has its `state` once it was sent. */
type Query = { readonly state: object | null; reject(reason: unknown): void; cancel(): void };

/** Tells of a lost connection before anybody else hears of it, and takes an answer that is overdue for one. */
function watched<Asked extends Promise<unknown>>(
  asked: Asked,
  lost: (reason: unknown) => void,
  unsettled = new Set<Query>(),
): Asked {
  const query = asked as Asked & Query;
  const overdue = setTimeout(() => query.reject(connectionLost()), answerMs);
  unsettled.add(query);
  const settled = (answer: unknown) => {
    clearTimeout(overdue);
    unsettled.delete(query);
    if (isAway(answer)) lost(answer);
  };
  query.then(settled, settled);
  return query;
}

function connectionLost(): Error {
  return Object.assign(new Error('The connection to the database was lost.'), { code: 'CONNECTION_CLOSED' });
}

/** Drizzle, with statements that the server remembers: unnamed ones cost another round trip each. */
function ormOver({ options }: postgres.Sql, unsafe: Unsafe): PostgresJsDatabase<typeof tables> {
  const prepared: Unsafe = (statement, parameters) => unsafe(statement, parameters, { prepare: true });
  return drizzle({ options, unsafe: prepared } as unknown as postgres.Sql, { schema: tables });
}
