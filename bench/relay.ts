import { randomUUID } from 'node:crypto';
import { parseConfig } from '../src/config.ts';
import { Epochs } from '../src/db/epochs.ts';
import { createLedger } from '../src/db/ledger.ts';
import { Partitions } from '../src/db/partitions.ts';
import { openDatabase } from '../src/open.ts';
import { addressOf, MemoryBus } from '../src/realtime/bus.ts';
import type { JournalEvent } from '../src/realtime/event.ts';
import { silent } from '../src/realtime/meter.ts';
import { Relay } from '../src/realtime/relay.ts';
import { onEachDatabase } from './databases.ts';
import { pause, percentile } from './rivals.ts';
import type { Row } from './run.ts';

const events = 100_000;
const topics = 1_000;
/** Half of what a relay is to manage, in events per second, and for how long. */
const steadily = { perSecond: 5_000, seconds: 10, everyMs: 10 };

/** How fast a full outbox empties into the journal, with the bus told of every event. */
export function relay(): Promise<Row[]> {
  return onEachDatabase(async (kind, environment) => {
    const database = await openDatabase(parseConfig(environment));
    const partitions = new Partitions({ database, retentionSeconds: 604_800 });
    await partitions.ensure();
    const epochs = await Epochs.open(database);
    const ledger = createLedger({ database, partitions, epochs, node: randomUUID() });
    const append = (count: number) =>
      database.query(
        `insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, payload)
         select gen_random_uuid(), array['channel:' || n % ${topics}], '{channel}', '{general}', 'message',
                'message.sent', jsonb_build_object('body', repeat('x', 200)) from generate_series(1, $1::int) n`,
        [count],
      );
    await append(events);
    let told = 0;
    const bus = new MemoryBus();
    const meter = { ...silent, published: () => (told += 1) };
    const engine = new Relay({
      ledger,
      bus,
      meter,
      failed: console.error,
      pollMs: 25,
      gapMs: 0,
    });
    const startedAt = performance.now();
    engine.start();
    while (told < events) await pause(5);
    const seconds = (performance.now() - startedAt) / 1_000;

    // From the moment that an event was written until the bus is told: what the relay adds.
    const added: number[] = [];
    for (let topic = 0; topic < topics; topic += 1) {
      bus.listen(addressOf(ledger.epoch, `channel:${topic}`), (event) =>
        added.push(Date.now() - (event as JournalEvent).writtenAt),
      );
    }
    const each = (steadily.perSecond * steadily.everyMs) / 1_000;
    const wanted = steadily.perSecond * steadily.seconds;
    const beganAt = performance.now();
    for (let sent = 0; sent < wanted; sent += each) {
      await pause(Math.max(0, beganAt + (sent / steadily.perSecond) * 1_000 - performance.now()));
      await append(each);
      engine.committed();
    }
    while (added.length < wanted) await pause(5);
    const reached = wanted / ((performance.now() - beganAt) / 1_000);
    await engine.close();
    await database.close();
    return {
      database: kind,
      events,
      topics,
      seconds: Number(seconds.toFixed(2)),
      'events/s': Math.round(events / seconds),
      'then, events/s': Math.round(reached),
      'p50 ms': percentile(added, 0.5),
      'p99 ms': percentile(added, 0.99),
    };
  });
}
