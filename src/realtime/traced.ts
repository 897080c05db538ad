import type { JournalEvent } from './event.ts';
import type { Tracer } from './tracer.ts';

/** What is published of a batch: an event that is traced goes on as a part of its publishing. */
export function published(
  tracer: Tracer,
  events: readonly JournalEvent[],
  startedAt: number,
): readonly JournalEvent[] {
  const traces = new Set(events.flatMap(({ trace }) => trace ?? []));
  if (traces.size === 0) return events;
  // It is of many, so it is a part of none of them.
  const attributes = { 'realtime.events': events.length };
  const batch = tracer.note({ name: 'relay batch', parent: null, links: [...traces], attributes }, startedAt);
  const links = batch === null ? [] : [batch];
  return events.map((event) => {
    if (!event.trace) return event;
    const step = { name: 'publish', kind: 'producer', parent: event.trace, links } as const;
    return { ...event, trace: tracer.note({ ...step, attributes: whereOf(event) }, Date.now()) };
  });
}

/** An event as it goes on from where it was heard. */
export function received(tracer: Tracer, event: JournalEvent): JournalEvent {
  if (!event.trace) return event;
  const step = { name: 'receive', kind: 'consumer', parent: event.trace } as const;
  return { ...event, trace: tracer.note({ ...step, attributes: whereOf(event) }, Date.now()) };
}

const whereOf = ({ topic, position }: JournalEvent) => ({
  'realtime.topic': topic,
  'realtime.position': position,
});
