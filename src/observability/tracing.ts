import type { Config } from '../config.ts';
import { type Tracer, untraced } from '../realtime/tracer.ts';
import type { Log } from './log.ts';

/** Where traces go, as OTLP in JSON, and which are made. */
export type TracingOptions = NonNullable<Config['tracing']>;

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what has not been sent. */
  close(): Promise<void>;
}

/** Off unless it is configured: then nothing of OpenTelemetry is loaded. */
export async function startTracing(
  options: TracingOptions | undefined,
  about: { readonly node: string; readonly version: string },
  log: Log,
): Promise<Tracing> {
  if (!options) return { tracer: untraced, close: async () => {} };
  const { openTelemetry } = await import('./open-telemetry.ts');
  return openTelemetry(options, about, log);
}
