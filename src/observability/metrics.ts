import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Meter } from '../realtime/meter.ts';

/** What is measured at the moment of asking. */
export interface Gauges {
  connections(): Readonly<Record<string, number>>;
  subscriptions(): Readonly<Record<string, number>>;
  groups(): number;
  topics(): number;
  outboxDepth(): Promise<number>;
  isLeading(): boolean;
  isConnected(): boolean;
  journal(): Promise<{ readonly floor: number; readonly ageSeconds: number }>;
}

export type Metrics = ReturnType<typeof createMetrics>;

/** The lag of the event loop is sampled so often. Each sample wakes the process, which is dear when it idles. */
const lagEveryMs = 100;

/** Names are promised; labels take their values from lists of ours, never from clients. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: lagEveryMs });

  const published = new Counter({
    name: 'realtime_events_published_total',
    help: 'Events that the relay told the bus.',
    labelNames: ['kind'],
    registers,
  });
  const written = new Map<string, number>();
  new Counter({
    name: 'realtime_deliveries_total',
    help: 'Payloads written to connections.',
    labelNames: ['transport'],
    registers,
    // Counted by hand: a labelled counter costs a tenth of a delivery.
    collect() {
      this.reset();
      for (const [transport, count] of written) this.inc({ transport }, count);
    },
  });
  const delivery = new Histogram({
    name: 'realtime_delivery_seconds',
    help: 'From the writing of an event to its first write to a connection of a group.',
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
    registers,
  });
  const executions = new Counter({
    name: 'realtime_executions_total',
    help: 'Payloads executed.',
    registers,
  });
  const catchups = new Counter({
    name: 'realtime_catchups_total',
    help: 'Subscribers that went to catching up.',
    labelNames: ['reason'],
    registers,
  });
  const resumes = new Counter({
    name: 'realtime_resumes_total',
    help: 'Subscriptions that came with a position.',
    labelNames: ['outcome'],
    registers,
  });
  const operations = new Histogram({
    name: 'realtime_operation_seconds',
    help: 'What operations took; subscriptions until they were accepted.',
    labelNames: ['kind', 'outcome'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  const setAside = new Counter({
    name: 'realtime_dead_letters_total',
    help: 'Outbox rows that could not be moved.',
    registers,
  });
  const cleanings = new Counter({
    name: 'realtime_retention_runs_total',
    help: 'Times that the leader looked for what has been kept for long enough.',
    labelNames: ['task', 'outcome'],
    registers,
  });
  const uncounted = new Counter({
    name: 'realtime_deliveries_uncounted_total',
    help: 'Deliveries that `delivered_count` lacks, since the database was away.',
    registers,
  });
  const refusals = new Counter({
    name: 'realtime_refusals_total',
    help: 'Errors that were answered.',
    labelNames: ['code'],
    registers,
  });

  const meter: Meter = {
    published: (kind) => published.inc({ kind }),
    executed: () => executions.inc(),
    delivered: (_event, _count, seconds) => {
      if (seconds !== null) delivery.observe(Math.max(0, seconds));
    },
    caughtUp: (reason) => catchups.inc({ reason }),
    resumed: (outcome) => resumes.inc({ outcome }),
    setAside: () => setAside.inc(),
  };

  return {
    meter,
    written: (transport: string) => void written.set(transport, (written.get(transport) ?? 0) + 1),
    operated: (kind: string, outcome: string, seconds: number) =>
      operations.observe({ kind, outcome }, seconds),
    refused: (code: string) => refusals.inc({ code }),
    uncounted: (count: number) => uncounted.inc(count),
    cleaned: (task: string, outcome: string) => cleanings.inc({ task, outcome }),
    contentType: registry.contentType,
    text: () => registry.metrics(),

    observe(gauges: Gauges): void {
      const labelled = (
        name: string,
        help: string,
        label: string,
        read: () => Readonly<Record<string, number>>,
      ) =>
        new Gauge({
          name,
          help,
          labelNames: [label],
          registers,
          collect() {
            this.reset();
            for (const [value, count] of Object.entries(read())) this.set({ [label]: value }, count);
          },
        });
      const plain = (name: string, help: string, read: () => number | Promise<number>) =>
        new Gauge({
          name,
          help,
          registers,
          async collect() {
            this.set(await read());
          },
        });
      labelled('realtime_connections', 'Open connections.', 'transport', gauges.connections);
      labelled('realtime_subscriptions', 'Open subscriptions.', 'field', gauges.subscriptions);
      plain('realtime_groups', 'Groups of subscribers that share executions.', gauges.groups);
      plain('realtime_topics', 'Topics that this node listens to.', gauges.topics);
      plain(
        'realtime_outbox_depth',
        'Events that wait for the relay, -1 while that cannot be read.',
        gauges.outboxDepth,
      );
      const age = new Gauge({
        name: 'realtime_journal_age_seconds',
        help: 'How far back the journal may reach, -1 while that cannot be read.',
        registers,
      });
      plain(
        'realtime_journal_floor',
        'The position up to which the journal has been dropped, -1 while that cannot be read.',
        async () => {
          const { floor, ageSeconds } = await gauges.journal();
          age.set(ageSeconds);
          return floor;
        },
      );
      plain('realtime_relay_leading', '1 on the node that relays.', () => (gauges.isLeading() ? 1 : 0));
      plain(
        'realtime_bus_connected',
        '1 while the bus between nodes is there; always within one process.',
        () => (gauges.isConnected() ? 1 : 0),
      );
    },
  };
}
