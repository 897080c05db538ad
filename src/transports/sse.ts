import type { ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import { v7 as uuid } from 'uuid';
import type { Authenticated } from '../auth/authenticate.ts';
import { Refusal, unavailable } from '../errors.ts';
import type { Effort } from '../limits/effort.ts';
import type { Guard } from '../limits/guard.ts';
import { overBudget } from '../limits/subscription-budget.ts';
import type { ClientAddressOf } from './address.ts';
import { heldUntilTaken } from './answer.ts';
import { type Dialect, type LetIn, writeStreamHead } from './event-stream.ts';
import { type Operations, type Parameters, type Present, toJson } from './operation.ts';
import type { OpenSubscription } from './subscription.ts';

/** An event stream that is asked for, after it is known who asks. */
export interface StreamRequest {
  readonly parameters: Parameters;
  readonly viewer: Authenticated;
  readonly lastEventId: string | undefined;
  /** A GET may not change anything. */
  readonly isReadOnly: boolean;
  readonly traceparent: string | undefined;
  readonly effort: Effort;
}

/**
 * GraphQL over Server-Sent Events, distinct connections mode: one response for one operation. Payloads that can
 * be resumed carry their position as `id`, so that a plain EventSource continues by itself.
 */
export function createEventStreams(parts: SseParts) {
  const { operations, open, present, limits, letIn, guard, clientAddressOf } = parts;
  return async (response: ServerResponse, request: StreamRequest) => {
    const { parameters, viewer, lastEventId, isReadOnly, traceparent, effort } = request;
    const id = uuid();
    const resume = lastEventId ? [lastEventId] : [];
    const caller = { viewer, resume, connectionId: id, wire: 'sse', traceparent, effort } as const;
    const prepared = operations.prepare(parameters, caller);
    const operation = Array.isArray(prepared) ? null : prepared.operation.operation;
    if (operation !== 'subscription') await guard.operating(viewer, clientAddressOf(response.req));
    if (Array.isArray(prepared)) return answer(response, { errors: prepared });
    if (operation === 'mutation' && isReadOnly) {
      return answer(response, {
        errors: [present(new Refusal('BAD_USER_INPUT', 'A mutation is sent by POST.'))],
      });
    }
    if (operation !== 'subscription') {
      const portion = heldUntilTaken(guard.portionOf(viewer, clientAddressOf(response.req)), response);
      return answer(response, await operations.execute(prepared, { ...caller, portion }));
    }

    const refusal = overBudget(prepared.cost, [], limits.subscriptionCostPerConnection);
    if (refusal) return answer(response, { errors: [present(refusal)] });
    const stream = await letIn(id, response, viewer, graphqlDialect);
    if (stream.isOver) return;
    const opened = await open(prepared, stream);
    if ('refused' in opened) {
      // A client comes back from a status, and not from a completion.
      const isAway = opened.refused.errors?.[0]?.extensions.code === 'UNAVAILABLE';
      if (!isAway || response.headersSent) return stream.finish(last(opened.refused));
      stream.close();
      throw unavailable();
    }
    stream.follow(opened.subscriber);
  };
}

function answer(response: ServerResponse, result: ExecutionResult): void {
  if (response.destroyed) return;
  writeStreamHead(response);
  response.end(last(result));
}

const next = (payload: string) => `event: next\ndata: ${payload}\n\n`;
const last = (result: ExecutionResult) =>
  `${next(JSON.stringify(toJson(result)))}event: complete\ndata: \n\n`;
const onlyPosition = (position: string) => `id: ${position}\n\n`;

const graphqlDialect: Dialect = {
  opening: onlyPosition,
  beat: onlyPosition,
  event: ({ payload, position }) => (position === null ? '' : `id: ${position}\n`) + next(payload),
  farewell: (error) => last({ errors: [error] }),
};

interface SseParts {
  readonly operations: Operations;
  readonly open: OpenSubscription;
  readonly present: Present;
  readonly limits: { readonly subscriptionCostPerConnection: number };
  readonly letIn: LetIn;
  readonly guard: Pick<Guard, 'operating' | 'portionOf'>;
  readonly clientAddressOf: ClientAddressOf;
}
