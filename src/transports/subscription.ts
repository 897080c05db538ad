import type { ExecutionResult } from 'graphql';
import { positionExpired, rightTakenAway } from '../errors.ts';
import type { Meter } from '../realtime/meter.ts';
import type { Source } from '../realtime/source.ts';
import type { EndReason, Subscriber } from '../realtime/subscriber.ts';
import type { Groups, ViewerSink } from './groups.ts';
import type { Operations, Prepared, Present } from './operation.ts';

/** A subscription that has been accepted, or the answer that refuses it. */
export type Opened = { readonly subscriber: Subscriber } | { readonly refused: ExecutionResult };

export type OpenSubscription = ReturnType<typeof createOpenSubscription>;

/** Authorises, joins a group and starts: the same for every wire. Resolves once the subscription is accepted. */
export function createOpenSubscription({ operations, groups, present, meter }: SubscriptionParts) {
  return async (prepared: Prepared, sink: ViewerSink): Promise<Opened> => {
    const source = await operations.subscribe(prepared);
    // Only those who are signed in are given a source.
    const opened = 'options' in source ? await start(prepared, source, sink) : { refused: source };
    if ('refused' in opened && isExpired(opened.refused)) meter.resumed('expired');
    return opened;
  };

  async function start(prepared: Prepared, source: Source, sink: ViewerSink): Promise<Opened> {
    const subscriber = groups.join(prepared, source, sink);
    try {
      if (await subscriber.start()) return { subscriber };
      throw positionExpired();
    } catch (error) {
      subscriber.close();
      return { refused: { errors: [present(error)] } };
    }
  }
}

const isExpired = ({ errors }: ExecutionResult) =>
  errors?.some(({ extensions }) => extensions.code === 'POSITION_EXPIRED') ?? false;

/** What a client is told when the server ends its subscription. */
export function endError(reason: EndReason) {
  return reason === 'expired' ? positionExpired() : rightTakenAway();
}

interface SubscriptionParts {
  readonly operations: Operations;
  readonly groups: Groups;
  readonly present: Present;
  readonly meter: Meter;
}
