import { Counter, Gauge, type Registry } from 'prom-client';

type Labelled = Readonly<Record<string, number>>;

/** Where what is measured at the moment of asking is read. */
export interface Sources {
  connections(): Labelled;
  subscriptions(): Labelled;
  groups(): number;
  topics(): number;
  isLeading(): boolean;
  isConnected(): boolean;
  /** Of Redis, in seconds; undefined without one. */
  busRoundTrip(): number | undefined;
  watermark(): number;
  watermarkAge(): number;
  backlog(): Promise<{ readonly depth: number; readonly ageSeconds: number; readonly head: number }>;
  database(): {
    readonly busy: number;
    readonly waiting: number;
    readonly transactions: number;
    readonly waitedSeconds: number;
    readonly roundTripSeconds: number;
  };
}

/** Registers what is read at the moment of asking. */
export function registerGauges(registry: Registry, sources: Sources): void {
  const registers = [registry];

  const labelled = (name: string, label: string, help: string, read: () => Labelled) =>
    new Gauge({
      ...{ name, help, registers, labelNames: [label] },
      collect() {
        this.reset();
        for (const [value, count] of Object.entries(read())) this.set({ [label]: value }, count);
      },
    });
  const plain = (name: string, help: string, read: () => number | Promise<number>) =>
    new Gauge({
      ...{ name, help, registers },
      async collect() {
        this.set(await read());
      },
    });
  const growing = (name: string, help: string, read: () => number) =>
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(read());
      },
    });

  labelled('realtime_connections', 'transport', 'Open connections.', sources.connections);
  labelled('realtime_subscriptions', 'field', 'Open subscriptions.', sources.subscriptions);
  plain('realtime_groups', 'Groups of subscribers that share executions.', sources.groups);
  plain('realtime_topics', 'Topics that this node listens to.', sources.topics);
  plain('realtime_relay_leading', '1 on the node that relays.', () => Number(sources.isLeading()));
  plain('realtime_bus_connected', '1 while the other nodes can be reached; always without Redis.', () =>
    Number(sources.isConnected()),
  );
  plain(
    'realtime_bus_round_trip_seconds',
    'Of the slowest of the connections to Redis, lately.',
    () => sources.busRoundTrip() ?? 0,
  );
  plain('realtime_watermark', 'The position up to which this node has everything.', sources.watermark);
  plain(
    'realtime_watermark_age_seconds',
    'For how long this node has not been sure to have everything.',
    sources.watermarkAge,
  );
  const unknown = '-1 while that cannot be read.';
  plain(
    'realtime_outbox_depth',
    `Rows that wait for the relay, 100,000 at most; ${unknown}`,
    async () => (await sources.backlog()).depth,
  );
  plain(
    'realtime_outbox_age_seconds',
    `Of the oldest row that waits; ${unknown}`,
    async () => (await sources.backlog()).ageSeconds,
  );
  plain(
    'realtime_journal_head',
    `The newest position; ${unknown}`,
    async () => (await sources.backlog()).head,
  );
  plain('realtime_database_busy', 'Transactions that are under way.', () => sources.database().busy);
  plain(
    'realtime_database_waiting',
    'Transactions that wait for a connection.',
    () => sources.database().waiting,
  );
  plain(
    'realtime_database_round_trip_seconds',
    'Of the smallest question, asked twice a second; 0 where it is embedded.',
    () => sources.database().roundTripSeconds,
  );
  growing('realtime_database_transactions_total', 'Transactions.', () => sources.database().transactions);
  growing(
    'realtime_database_wait_seconds_total',
    'What they waited for a connection, together.',
    () => sources.database().waitedSeconds,
  );
}
