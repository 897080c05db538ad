import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { version } from '../lib/version.ts';
import type { Meter } from '../realtime/meter.ts';
import { registerGauges, type Sources } from './gauges.ts';

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
    help: 'From the writing of an event until it is written to every connection of a group.',
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
    help: 'What operations took; of subscriptions, to find what they follow.',
    labelNames: ['kind', 'outcome'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  const opened = new Counter({
    name: 'realtime_connections_opened_total',
    help: 'Connections that were let in.',
    labelNames: ['transport'],
    registers,
  });
  const closed = new Counter({
    name: 'realtime_connections_closed_total',
    help: 'Connections that ended, by why.',
    labelNames: ['transport', 'reason'],
    registers,
  });
  const moves = new Histogram({
    name: 'realtime_relay_batch_seconds',
    help: 'What it took to move a batch that was not empty.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers,
  });
  const ages = new Histogram({
    name: 'realtime_relay_lag_seconds',
    help: 'How old the oldest event of a batch was when it had been moved.',
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
    registers,
  });
  const unhandled = new Counter({
    name: 'realtime_unhandled_rejections_total',
    help: 'Failures of a promise that nobody had waited for.',
    registers,
  });
  new Gauge({
    name: 'realtime_build_info',
    help: 'Always 1.',
    labelNames: ['version', 'node_version'],
    registers,
  }).set({ version, node_version: process.version }, 1);
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
    moved: (seconds, ageSeconds) => {
      moves.observe(seconds);
      ages.observe(Math.max(0, ageSeconds));
    },
  };

  return {
    meter,
    written: (transport: string) => void written.set(transport, (written.get(transport) ?? 0) + 1),
    operated: (kind: string, outcome: string, seconds: number) =>
      operations.observe({ kind, outcome }, seconds),
    refused: (code: string) => refusals.inc({ code }),
    uncounted: (count: number) => uncounted.inc(count),
    cleaned: (task: string, outcome: string) => cleanings.inc({ task, outcome }),
    opened: (transport: string) => opened.inc({ transport }),
    closed: (transport: string, reason: string) => closed.inc({ transport, reason }),
    unhandled: () => unhandled.inc(),
    contentType: registry.contentType,
    text: () => registry.metrics(),

    /** Registers what is read at the moment of asking. */
    observe: (sources: Sources) => registerGauges(registry, sources),
  };
}
