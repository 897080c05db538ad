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
  busRoundTrip(): number;
  watermark(): number;
  watermarkAge(): number;
  backlog(): Promise<{ readonly depth: number; readonly ageSeconds: number; readonly head: number }>;
  journal(): Promise<{ readonly floor: number; readonly ageSeconds: number }>;
  database(): {
    readonly busy: number;
    readonly waiting: number;
    readonly transactions: number;
    readonly waitedSeconds: number;
    readonly roundTripSeconds: number;
  };
}

type Read = () => number | Promise<number>;

const unknown = '-1 while that cannot be read.';
const lately = 'Of the smallest question, asked twice a second;';

const labelled: readonly (readonly [
  name: string,
  label: string,
  help: string,
  key: 'connections' | 'subscriptions',
])[] = [
  ['realtime_connections', 'transport', 'Open connections.', 'connections'],
  ['realtime_subscriptions', 'field', 'Open subscriptions.', 'subscriptions'],
];

const plain = (sources: Sources): readonly (readonly [name: string, help: string, read: Read])[] => [
  ['realtime_groups', 'Groups of subscribers that share executions.', sources.groups],
  ['realtime_topics', 'Topics that this node listens to.', sources.topics],
  ['realtime_relay_leading', '1 on the node that relays.', () => Number(sources.isLeading())],
  [
    'realtime_bus_connected',
    '1 while the bus between nodes is there; always within one process.',
    () => Number(sources.isConnected()),
  ],
  ['realtime_bus_round_trip_seconds', `${lately} 0 without Redis.`, sources.busRoundTrip],
  ['realtime_watermark', 'The position up to which this node has everything.', sources.watermark],
  [
    'realtime_watermark_age_seconds',
    'For how long this node has not been sure to have everything.',
    sources.watermarkAge,
  ],
  [
    'realtime_outbox_depth',
    `Rows that wait for the relay, 100,000 at most; ${unknown}`,
    async () => (await sources.backlog()).depth,
  ],
  [
    'realtime_outbox_age_seconds',
    `Of the oldest row that waits; ${unknown}`,
    async () => (await sources.backlog()).ageSeconds,
  ],
  ['realtime_journal_head', `The newest position; ${unknown}`, async () => (await sources.backlog()).head],
  [
    'realtime_journal_floor',
    `The position up to which the journal has been dropped; ${unknown}`,
    async () => (await sources.journal()).floor,
  ],
  [
    'realtime_journal_age_seconds',
    `How far back the journal may reach; ${unknown}`,
    async () => (await sources.journal()).ageSeconds,
  ],
  ['realtime_database_busy', 'Transactions that are under way.', () => sources.database().busy],
  ['realtime_database_waiting', 'Transactions that wait for a connection.', () => sources.database().waiting],
  [
    'realtime_database_round_trip_seconds',
    `${lately} 0 where it is embedded.`,
    () => sources.database().roundTripSeconds,
  ],
];

const growing = (
  sources: Sources,
): readonly (readonly [name: string, help: string, read: () => number])[] => [
  ['realtime_database_transactions_total', 'Transactions.', () => sources.database().transactions],
  [
    'realtime_database_wait_seconds_total',
    'What they waited for a connection, together.',
    () => sources.database().waitedSeconds,
  ],
];

/** Registers what is read at the moment of asking. */
export function registerGauges(registry: Registry, sources: Sources): void {
  const registers = [registry];
  for (const [name, label, help, key] of labelled) {
    new Gauge({
      ...{ name, help, registers, labelNames: [label] },
      collect() {
        this.reset();
        for (const [value, count] of Object.entries(sources[key]())) this.set({ [label]: value }, count);
      },
    });
  }
  for (const [name, help, read] of plain(sources)) {
    new Gauge({
      ...{ name, help, registers },
      async collect() {
        this.set(await read());
      },
    });
  }
  for (const [name, help, read] of growing(sources)) {
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
}
