import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  DiagLogLevel,
  diag,
  type Link,
  type Tracer as Maker,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Step, Tracer } from '../realtime/tracer.ts';
import { createComplaint, type Log } from './log.ts';
import type { Tracing, TracingOptions } from './tracing.ts';

/** What the collector has not taken by then is given up, so that a node can end. */
const lastSpansMs = 3_000;
const scope = 'gravitycar-realtime';

/** OpenTelemetry behind our interface: loaded only where traces are asked for. */
export function openTelemetry(
  { url, headers, serviceName, sampler, ratio }: TracingOptions,
  { node, version }: { readonly node: string; readonly version: string },
  log: Log,
): Tracing {
  const complain = createComplaint(log, 'traces could not be sent');
  const [tell, ignore] = [(message: string) => complain(new Error(message)), () => {}];
  diag.setLogger(
    { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const resource = resourceFromAttributes({
    'service.name': serviceName,
    'service.version': version,
    'service.instance.id': node,
  });
  const exporter = new OTLPTraceExporter({ url, headers: { ...headers } });
  const spanProcessors = [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1_000 })];
  const make = (how: Sampler) =>
    new TracerProvider({ resource, spanProcessors, sampler: how }).getTracer(scope, version);
  // An operation is sampled; what it brings about is traced if it was, on whatever node.
  const makers = { asking: make(samplerOf(sampler, ratio)), following: make(new AlwaysOnSampler()) };
  return {
    tracer: new OpenTelemetryTracer(makers),
    close: async () => {
      const sent = spanProcessors[0]!.shutdown().catch(complain);
      await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, lastSpansMs).unref())]);
    },
  };
}

interface Makers {
  readonly asking: Maker;
  readonly following: Maker;
}

class OpenTelemetryTracer implements Tracer {
  readonly #makers: Makers;
  readonly #active = new AsyncLocalStorage<string | null>();

  constructor(makers: Makers) {
    this.#makers = makers;
  }

  current(): string | null {
    return this.#active.getStore() ?? null;
  }

  follow<Result>(step: Step, work: (trace: string | null) => Result): Result {
    const span = this.#start(step);
    if (!span.isRecording()) return this.#active.run(null, () => work(null));
    const name = nameOf(span.spanContext());
    try {
      const result = this.#active.run(name, () => work(name));
      if (result instanceof Promise)
        void result.then(
          (value) => end(span, step, value),
          (error) => fail(span, error),
        );
      else end(span, step, result);
      return result;
    } catch (error) {
      fail(span, error);
      throw error;
    }
  }

  note(step: Step, from: number): string | null {
    const span = this.#start(step, from);
    const isRecording = span.isRecording();
    span.end();
    return isRecording ? nameOf(span.spanContext()) : null;
  }

  #start({ name, kind = 'internal', parent, links = [], attributes }: Step, startTime?: number): Span {
    const maker = kind === 'server' ? this.#makers.asking : this.#makers.following;
    const options = { kind: kinds[kind], links: links.flatMap(linkOf), attributes, startTime };
    return maker.startSpan(name, options, beneath(parent));
  }
}

const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

function end(span: Span, { failure }: Step, result: unknown): void {
  const code = failure?.(result);
  if (code) span.setAttribute('error.type', code).setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

/** What was thrown may say what is nobody else's business: its kind is told, the log has the rest. */
function fail(span: Span, error: unknown): void {
  const type = error instanceof Error ? error.name : typeof error;
  span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR }).end();
}

/** https://www.w3.org/TR/trace-context/#traceparent-header */
const nameOf = ({ traceId, spanId, traceFlags }: SpanContext) =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;

const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;

/** Null where it is none: clients may send anything. */
function contextOf(name: string): SpanContext | null {
  const [, traceId, spanId, flags] = traceparent.exec(name) ?? [];
  if (!traceId || !spanId || !flags) return null;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
}

function beneath(parent: string | null): Context {
  const context = parent === null ? null : contextOf(parent);
  return context ? trace.setSpanContext(ROOT_CONTEXT, context) : ROOT_CONTEXT;
}

function linkOf(name: string): Link[] {
  const context = contextOf(name);
  return context ? [{ context }] : [];
}

function samplerOf(name: TracingOptions['sampler'], ratio: number): Sampler {
  const [, kind] = /^(?:parentbased_)?(.+)$/.exec(name)!;
  const root =
    kind === 'always_on'
      ? new AlwaysOnSampler()
      : kind === 'always_off'
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(ratio);
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}
