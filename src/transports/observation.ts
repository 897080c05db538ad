import { type ExecutionArgs, type ExecutionResult, getOperationAST } from 'graphql';
import type { Context } from '../context.ts';
import { type About, brief } from '../observability/about.ts';
import { createGate, type Log } from '../observability/log.ts';
import type { Tracer } from '../realtime/tracer.ts';
import { type Caller, type Parameters, type Present, rootFieldsOf } from './operation.ts';

/** How an operation ended: refused by a rule, or failed for want of something of ours. */
export type Outcome = 'ok' | 'refused' | 'failed';

/** What Yoga's context has beside ours. */
type Observed = Context & Caller & { readonly params?: Parameters };

export type Observe = ReturnType<typeof createObservation>;

/**
 * What holds for every operation while it runs, on whatever wire: it is traced, timed and counted, its errors are
 * presented with whose they are, and that it is slow is said. Of a subscription it is the finding of what it follows.
 */
export function createObservation({ tracer, log, present, measured, slowMs }: ObservationParts) {
  const gates = new Map<string, () => number>();

  return async <Result extends object>(
    args: ExecutionArgs,
    work: () => Result | Promise<Result>,
  ): Promise<Result> => {
    const context = args.contextValue as Observed;
    const { kind, name, operationName } = describe(args);
    const about = { ...aboutOf(context), operation: name, operationName };
    const attributes = { 'graphql.operation.type': kind, 'realtime.wire': context.wire };
    const parent = traceparentOf(context);
    const startedAt = performance.now();
    const step = { name, kind: 'server', parent, attributes, failure: failureOf } as const;
    const result = await tracer.follow(step, async (trace) => {
      const answer = await work();
      return presented(answer, trace === null ? about : { ...about, traceId: trace.split('-')[1] });
    });
    const milliseconds = performance.now() - startedAt;
    measured(kind, outcomeOf(result), milliseconds / 1_000);
    if (milliseconds > slowMs) complain(about, milliseconds);
    return result;
  };

  function presented<Result extends object>(answer: Result, about: About): Result {
    const { errors } = answer as ExecutionResult;
    return errors ? { ...answer, errors: errors.map((error) => present(error, about)) } : answer;
  }

  /** While everything is slow, of each field one is named. */
  function complain(about: About, milliseconds: number): void {
    const gate = gates.get(about.operation!) ?? createGate();
    gates.set(about.operation!, gate);
    const times = gate();
    if (times > 0) log.warn({ ...about, milliseconds: Math.round(milliseconds), times }, 'slow operation');
  }
}

/** Whom an operation is about, as far as its wire says. */
export function aboutOf({ viewer, connectionId, operationId }: Partial<Caller>): About {
  return {
    connectionId: connectionId ?? undefined,
    userId: viewer?.id,
    operationId: operationId === undefined ? undefined : brief(operationId),
  };
}

/** Its name has words of the schema only. */
function describe({ document, operationName }: ExecutionArgs) {
  const operation = getOperationAST(document, operationName)!;
  const field = rootFieldsOf(document, operation)[0]?.name.value ?? '';
  const given = operation.name && brief(operation.name.value);
  return { kind: operation.operation, name: `${operation.operation} ${field}`, operationName: given };
}

/** As the header has it, or where there are no headers `extensions`. */
function traceparentOf({ traceparent, params }: Observed): string | null {
  const { traceparent: given } = (params?.extensions ?? {}) as Record<string, unknown>;
  return traceparent ?? (typeof given === 'string' ? given : null);
}

const ours = new Set<unknown>(['INTERNAL_SERVER_ERROR', 'UNAVAILABLE']);

function failureOf(result: unknown): string | null {
  const codes = ((result as ExecutionResult).errors ?? []).map(({ extensions }) => extensions.code);
  return (codes.find((code) => ours.has(code)) as string | undefined) ?? null;
}

function outcomeOf(result: ExecutionResult): Outcome {
  if (failureOf(result)) return 'failed';
  return result.errors ? 'refused' : 'ok';
}

interface ObservationParts {
  readonly tracer: Tracer;
  readonly log: Log;
  readonly present: Present;
  /** An operation that takes longer is complained of. */
  readonly slowMs: number;
  measured(kind: string, outcome: Outcome, seconds: number): void;
}
