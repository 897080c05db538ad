import { EventReceivedDocument, type EventReceivedSubscription } from '../documents/graphql.ts';
import { type SubscriptionOptions, useRealtimeSubscription } from './use-subscription.ts';

/** An event as the server shows it. */
export type RealtimeEvent = EventReceivedSubscription['eventReceived'];

export interface EventsOptions
  extends Omit<SubscriptionOptions<EventReceivedSubscription>, 'onNext' | 'onComplete'> {
  /** All when left out. */
  readonly types?: readonly string[];
}

/** Each event for everyone, for the viewer and for the viewer's channels, once. */
export function useEvents(
  { types, ...options }: EventsOptions,
  onEvent: (event: RealtimeEvent, position: string | null) => void,
): void {
  const request = { document: EventReceivedDocument, variables: types ? { types: [...types] } : {} };
  useRealtimeSubscription(request, {
    ...options,
    onNext: ({ data, position }) => {
      if (data) onEvent(data.eventReceived, position);
    },
  });
}
